/* TLS connections made by the operating system: the application sees neither keys nor certificates.
 *
 * The server must be named in the manifest's Capabilities.AllowedConnections and is checked against the
 * device's trust roots. Where the device has a proxy (applibs/networking.h), connections go through it. A connection
 * is a file descriptor: read(2), write(2), poll(2), close(2). */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    /* No client certificate. */
    Tls_Identity_None = 0,
    /* The device's certificate for the tenant in the manifest's Capabilities.DeviceAuthentication. */
    Tls_Identity_Device = 1
} Tls_Identity;

/* Connects and completes the handshake. Returns a file descriptor, or -1 with errno
 *   EACCES        the manifest does not name the host, or not DeviceAuthentication, or another tenant
 *   EAGAIN        the device has no certificate for that tenant yet
 *   EINVAL        not a host name, port or identity
 *   EPROTO        the TLS handshake failed: the server is not who it should be, or it refused the device
 *   ECONNABORTED  the device's proxy opened no tunnel
 *   EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, ECONNRESET, ETIMEDOUT  the network's */
int Tls_Connect(const char *host, uint16_t port, Tls_Identity identity);

/* As Tls_Connect, but returns at once a descriptor that never blocks: it is writable when the handshake is done or has
 * failed, and then the first read or write fails with the errno above. -1 only for EINVAL, EMFILE and EFAULT. */
int Tls_Open(const char *host, uint16_t port, Tls_Identity identity);

/* From device to device: both show the certificate that their tenant's service gave them, and neither speaks with a
 * device of another tenant, or with one whose certificate has run out. */

/* A device's id as text, with its NUL. */
#define TLS_DEVICE_ID_SIZE 129

/* As Tls_Connect and Tls_Open, to another device. `deviceId`: the one that it must be; NULL: any of the tenant.
 * `host` is named in Capabilities.AllowedConnections, the tenant in Capabilities.DeviceAuthentication. EPROTO: it is no
 * such device, or it refused this one. */
int Tls_ConnectDevice(const char *host, uint16_t port, const char *deviceId);
int Tls_OpenDevice(const char *host, uint16_t port, const char *deviceId);

/* Waits for devices on a port of Capabilities.AllowedTcpServerPorts. Returns a descriptor that never blocks; poll(2)
 * tells when a device has come and proved who it is. Whoever does not is sent away, and nobody hears of it. -1 with
 * errno EACCES, EAGAIN (no certificate yet), EADDRINUSE, EMFILE. It ends (ENETDOWN) when the device loses its
 * certificate's tenant. */
int Tls_Listen(uint16_t port, int backlog);

/* Takes the device that has come, and tells its id: a descriptor that never blocks. -1 with errno EAGAIN: none has. */
int Tls_Accept(int listenFd, char outDeviceId[TLS_DEVICE_ID_SIZE]);

#ifdef __cplusplus
}
#endif

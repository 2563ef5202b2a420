/* TLS connections made by the operating system: the application sees neither keys nor certificates.
 *
 * The server must be named in the manifest's Capabilities.AllowedConnections and is checked against the
 * device's trust roots. A connection is a file descriptor: read(2), write(2), poll(2), close(2). */
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
 *   EHOSTUNREACH, ECONNREFUSED, ECONNRESET, ETIMEDOUT  the network's */
int Tls_Connect(const char *host, uint16_t port, Tls_Identity identity);

/* As Tls_Connect, but returns at once a descriptor that never blocks: it is writable when the handshake is done or has
 * failed, and then the first read or write fails with the errno above. -1 only for EINVAL, EMFILE and EFAULT. */
int Tls_Open(const char *host, uint16_t port, Tls_Identity identity);

#ifdef __cplusplus
}
#endif

#include <sevenfold/tls.h>

#include <string.h>

#include "host.h"

static int open_tls(const char *host, uint16_t port, Tls_Identity identity, int flags)
{
    if (host == NULL) {
        errno = EFAULT;
        return -1;
    }
    int fd = -1;
    int error = host_tls_connect(host, strlen(host), port, (int)identity, flags, &fd);
    return host_result(error, fd);
}

int Tls_Connect(const char *host, uint16_t port, Tls_Identity identity)
{
    return open_tls(host, port, identity, 0);
}

static int open_device(const char *host, uint16_t port, const char *deviceId, int flags)
{
    if (host == NULL) {
        errno = EFAULT;
        return -1;
    }
    int fd = -1;
    size_t idLength = deviceId == NULL ? 0 : strlen(deviceId);
    int error = host_tls_connect_device(host, strlen(host), port, deviceId == NULL ? "" : deviceId, idLength, flags, &fd);
    return host_result(error, fd);
}

int Tls_ConnectDevice(const char *host, uint16_t port, const char *deviceId)
{
    return open_device(host, port, deviceId, 0);
}

int Tls_OpenDevice(const char *host, uint16_t port, const char *deviceId)
{
    return open_device(host, port, deviceId, HOST_NON_BLOCKING);
}

int Tls_Listen(uint16_t port, int backlog)
{
    int fd = -1;
    return host_result(host_tls_listen(port, backlog, HOST_NON_BLOCKING, &fd), fd);
}

int Tls_Accept(int listenFd, char outDeviceId[TLS_DEVICE_ID_SIZE])
{
    int fd = -1;
    if (outDeviceId == NULL) {
        errno = EFAULT;
        return -1;
    }
    return host_result(host_tls_accept(listenFd, HOST_NON_BLOCKING, outDeviceId, TLS_DEVICE_ID_SIZE, &fd), fd);
}

int Tls_Open(const char *host, uint16_t port, Tls_Identity identity)
{
    return open_tls(host, port, identity, HOST_NON_BLOCKING);
}

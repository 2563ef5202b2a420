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

int Tls_Open(const char *host, uint16_t port, Tls_Identity identity)
{
    return open_tls(host, port, identity, HOST_NON_BLOCKING);
}

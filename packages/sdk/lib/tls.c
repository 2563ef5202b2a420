#include <sevenfold/tls.h>

#include <string.h>

#include "host.h"

int Tls_Connect(const char *host, uint16_t port, Tls_Identity identity)
{
    if (host == NULL) {
        errno = EFAULT;
        return -1;
    }
    int fd = -1;
    int error = host_tls_connect(host, strlen(host), port, (int)identity, 0, &fd);
    return host_result(error, fd);
}

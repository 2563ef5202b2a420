#include <applibs/application.h>

#include "host.h"

int Application_IsDeviceAuthReady(bool *outIsDeviceAuthReady)
{
    if (outIsDeviceAuthReady == NULL) {
        errno = EFAULT;
        return -1;
    }
    uint8_t ready = 0;
    int error = host_device_auth_ready(&ready);
    *outIsDeviceAuthReady = error == 0 && ready != 0;
    return host_result(error, 0);
}

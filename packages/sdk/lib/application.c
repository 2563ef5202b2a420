#include <applibs/application.h>

#include <string.h>

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

#define GUID_LENGTH 36

int Application_Connect(const char *componentId)
{
    if (componentId == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (strlen(componentId) != GUID_LENGTH) {
        errno = EINVAL;
        return -1;
    }
    int fd = -1;
    return host_result(host_app_connect(componentId, &fd), fd);
}

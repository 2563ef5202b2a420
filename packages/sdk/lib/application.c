#include <applibs/application.h>

#include <ctype.h>

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

static bool is_guid(const char *text)
{
    for (int at = 0; at < GUID_LENGTH; at++) {
        bool isDash = at == 8 || at == 13 || at == 18 || at == 23;
        if (isDash ? text[at] != '-' : !isxdigit((unsigned char)text[at])) {
            return false;
        }
    }
    return text[GUID_LENGTH] == '\0';
}

int Application_Connect(const char *componentId)
{
    if (componentId == NULL) {
        errno = EFAULT;
        return -1;
    }
    /* No app runs on another core of this chip yet: none lists this one. */
    errno = is_guid(componentId) ? EACCES : EINVAL;
    return -1;
}

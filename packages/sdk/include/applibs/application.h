/* What the device's own services have ready for this application. */
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the device holds a certificate for the tenant that the manifest's DeviceAuthentication names.
 * -1 with errno EFAULT when the pointer is NULL. */
int Application_IsDeviceAuthReady(bool *outIsDeviceAuthReady);

#ifdef __cplusplus
}
#endif

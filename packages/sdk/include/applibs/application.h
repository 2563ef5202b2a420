/* What the device's own services have ready for this application. */
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the device holds a certificate for the tenant that the manifest's DeviceAuthentication names.
 * -1 with errno EFAULT when the pointer is NULL. */
int Application_IsDeviceAuthReady(bool *outIsDeviceAuthReady);

/* A socket to the app with this component id on another core; both manifests must list each other in
 * AllowedApplicationConnections. -1 with errno EFAULT, EINVAL (not a component id) or EACCES. */
int Application_Connect(const char *componentId);

#ifdef __cplusplus
}
#endif

/* What the device's own services have ready for this application. */
#pragma once

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the device holds a certificate for the tenant that the manifest's DeviceAuthentication names.
 * -1 with errno EFAULT when the pointer is NULL. */
int Application_IsDeviceAuthReady(bool *outIsDeviceAuthReady);

/* A socket to the real-time app with this component id; both manifests must name each other in
 * AllowedApplicationConnections. Each send is one message of at most 1040 bytes (1024 where it should work on every
 * device), each recv takes one; poll, epoll, O_NONBLOCK and SO_RCVTIMEO work as on datagram sockets. send waits while the
 * ring between the cores is full: without waiting, EAGAIN once one message waits. Both are ECONNRESET when the app on the
 * other core ends or breaks the ring; once it runs again, so does the socket. -1 with errno EFAULT, EINVAL (not a
 * component id), EACCES, ECONNREFUSED (no such app is installed), EBUSY (connected already) or EMFILE. */
int Application_Connect(const char *componentId);

#ifdef __cplusplus
}
#endif

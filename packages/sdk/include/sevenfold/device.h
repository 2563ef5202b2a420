/* What an application may know of the device it runs on. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Characters of a device id: the subject's common name in the device's certificate, lower-case hexadecimal. */
#define DEVICE_ID_LENGTH 64

/* Writes the device id with a NUL. 0, or -1 with errno EACCES (the manifest names no DeviceAuthentication),
 * EFAULT or ERANGE (the buffer is too small). */
int Device_GetId(char *outId, size_t size);

#ifdef __cplusplus
}
#endif

#include <sevenfold/device.h>

#include "host.h"

int Device_GetId(char *outId, size_t size)
{
    if (outId == NULL) {
        errno = EFAULT;
        return -1;
    }
    return host_result(host_device_id(outId, size), 0);
}

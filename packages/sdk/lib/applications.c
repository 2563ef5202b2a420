#include <applibs/applications.h>

#include "host.h"

enum { TOTAL, OWN, PEAK };

static size_t usage(int which)
{
    uint32_t kib[3];
    if (host_memory_usage(kib) != 0) {
        errno = EAGAIN;
        return 0;
    }
    return kib[which];
}

size_t Applications_GetTotalMemoryUsageInKB(void)
{
    return usage(TOTAL);
}

size_t Applications_GetUserModeMemoryUsageInKB(void)
{
    return usage(OWN);
}

size_t Applications_GetPeakUserModeMemoryUsageInKB(void)
{
    return usage(PEAK);
}

int Applications_GetOsVersion(Applications_OsVersion *outVersion)
{
    if (outVersion == NULL) {
        errno = EFAULT;
        return -1;
    }
    return host_result(host_os_version(outVersion->version, sizeof outVersion->version), 0);
}

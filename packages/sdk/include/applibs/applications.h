/* What apps use of the device. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef APPLICATIONS_STRUCTS_VERSION
#define APPLICATIONS_STRUCTS_VERSION 1
#endif
#if APPLICATIONS_STRUCTS_VERSION != 1
#error "APPLICATIONS_STRUCTS_VERSION: this SDK has version 1"
#endif

typedef struct {
    /* Such as "26.11.0". */
    char version[16];
} Applications_OsVersion;

/* KiB of memory: what is used by apps and by the OS on their behalf; by apps alone; the most of that since the app
 * started. 0 with errno EAGAIN on failure. */
size_t Applications_GetTotalMemoryUsageInKB(void);
size_t Applications_GetUserModeMemoryUsageInKB(void);
size_t Applications_GetPeakUserModeMemoryUsageInKB(void);

/* -1 with errno EFAULT. */
int Applications_GetOsVersion(Applications_OsVersion *outVersion);

#ifdef __cplusplus
}
#endif

/* A watchdog of the app's own: the operating system ends an app that does not say in time that it is alive, reports it
 * with the trap `watchdog`, and starts it again. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on the app must call again within so many milliseconds, each time anew; 0: it is watched no longer. 0. */
int Watchdog_Set(uint32_t milliseconds);

#ifdef __cplusplus
}
#endif

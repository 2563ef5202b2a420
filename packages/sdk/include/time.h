/* Time, as the C library has it, and setting it. */
#pragma once

#include_next <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets CLOCK_REALTIME. -1 with errno EPERM (the manifest does not name SystemTime), EINVAL or EFAULT. */
int clock_settime(clockid_t clk_id, const struct timespec *tp);

/* Takes the time zone from the environment variable TZ; only zones that say their rule (`CET-1CEST,M3.5.0,M10.5.0/3`)
 * or an offset (`UTC+3`) are known: there is no list of names on a device. */
void tzset(void);
extern char *tzname[2];
extern long timezone;
extern int daylight;

#ifdef __cplusplus
}
#endif

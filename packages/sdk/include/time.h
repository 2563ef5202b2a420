/* Time, as the C library has it, and setting it. */
#pragma once

#include_next <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets CLOCK_REALTIME. -1 with errno EPERM (the manifest does not name SystemTime), EINVAL or EFAULT. */
int clock_settime(clockid_t clk_id, const struct timespec *tp);

/* Takes the time zone from the environment variable TZ: a name and hours west of Greenwich (`PST+8`, `CET-1`), a second
 * name for summer time if there is one. Rules for when summer time begins are not followed, and there is no list of
 * zones on a device: anything else is UTC. localtime, localtime_r and mktime go by it. */
void tzset(void);
extern char *tzname[2];
extern long timezone;
extern int daylight;

#ifdef __cplusplus
}
#endif

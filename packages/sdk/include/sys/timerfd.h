/* Timers as file descriptors, as on Linux: timerfd_create(2). */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TFD_NONBLOCK O_NONBLOCK
#define TFD_CLOEXEC 0
#define TFD_TIMER_ABSTIME 1

/* A disarmed timer on CLOCK_REALTIME or CLOCK_MONOTONIC. -1 with errno EINVAL or EMFILE. */
int timerfd_create(clockid_t clockid, int flags);

/* Arms (it_value not zero) or disarms. read(2) gives the number of expirations as uint64_t.
 * -1 with errno EBADF, EFAULT or EINVAL. */
int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value);

/* Time until the next expiration, and the period. -1 with errno EBADF or EFAULT. */
int timerfd_gettime(int fd, struct itimerspec *curr_value);

#ifdef __cplusplus
}
#endif

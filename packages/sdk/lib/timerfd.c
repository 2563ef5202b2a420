#include <sys/timerfd.h>

#include "host.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define LONGEST_SECONDS (INT64_MAX / NS_PER_SECOND - 1)
#define HOST_CLOCK_REALTIME 0
#define HOST_CLOCK_MONOTONIC 1

static int is_valid(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_sec <= LONGEST_SECONDS && time->tv_nsec >= 0 && time->tv_nsec < NS_PER_SECOND;
}

static int64_t to_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * NS_PER_SECOND + time->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    struct timespec time = {.tv_sec = ns / NS_PER_SECOND, .tv_nsec = (long)(ns % NS_PER_SECOND)};
    return time;
}

int timerfd_create(clockid_t clockid, int flags)
{
    int clock;
    if (clockid == CLOCK_MONOTONIC) {
        clock = HOST_CLOCK_MONOTONIC;
    } else if (clockid == CLOCK_REALTIME) {
        clock = HOST_CLOCK_REALTIME;
    } else {
        errno = EINVAL;
        return -1;
    }
    int fd = -1;
    int error = host_timer_create(clock, flags, &fd);
    return host_result(error, fd);
}

int timerfd_gettime(int fd, struct itimerspec *curr_value)
{
    if (curr_value == NULL) {
        errno = EFAULT;
        return -1;
    }
    int64_t times[2];
    int error = host_timer_get(fd, times);
    if (error == 0) {
        curr_value->it_value = from_ns(times[0]);
        curr_value->it_interval = from_ns(times[1]);
    }
    return host_result(error, 0);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value)
{
    if (new_value == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (!is_valid(&new_value->it_value) || !is_valid(&new_value->it_interval)) {
        errno = EINVAL;
        return -1;
    }
    if (old_value != NULL && timerfd_gettime(fd, old_value) == -1) {
        return -1;
    }
    return host_result(host_timer_set(fd, flags, to_ns(&new_value->it_value), to_ns(&new_value->it_interval)), 0);
}

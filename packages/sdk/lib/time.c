#include <time.h>

#include "host.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define LAST_SECOND (INT64_MAX / NS_PER_SECOND - 1)

int clock_settime(clockid_t clk_id, const struct timespec *tp)
{
    if (tp == NULL) {
        errno = EFAULT;
        return -1;
    }
    int isTime = tp->tv_sec >= 0 && tp->tv_sec <= LAST_SECOND && tp->tv_nsec >= 0 && tp->tv_nsec < NS_PER_SECOND;
    if (clk_id != CLOCK_REALTIME || !isTime) {
        errno = EINVAL;
        return -1;
    }
    int error = host_time_set((int64_t)tp->tv_sec * NS_PER_SECOND + tp->tv_nsec);
    return host_result(error == EACCES ? EPERM : error, 0);
}

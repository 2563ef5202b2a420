/* The C library's calls that wait: when a signal came, its handler runs before they fail with EINTR. The linker puts
 * these in their place (`--wrap`). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"

ssize_t __real_read(int fd, void *buffer, size_t length);
ssize_t __real_write(int fd, const void *buffer, size_t length);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_select(int count, fd_set *readable, fd_set *writable, fd_set *failed, struct timeval *timeout);
int __real_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left);

static void deliver_if(int isInterrupted)
{
    if (isInterrupted) {
        sevenfold_deliver_signals();
    }
}

ssize_t __wrap_read(int fd, void *buffer, size_t length)
{
    ssize_t result = __real_read(fd, buffer, length);
    deliver_if(result == -1 && errno == EINTR);
    return result;
}

ssize_t __wrap_write(int fd, const void *buffer, size_t length)
{
    ssize_t result = __real_write(fd, buffer, length);
    deliver_if(result == -1 && errno == EINTR);
    return result;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int result = __real_poll(fds, count, timeout);
    deliver_if(result == -1 && errno == EINTR);
    return result;
}

/* False with errno EBADF for a number that is no open descriptor: wasi-libc would call it ready. */
static int are_open(int count, const fd_set *set)
{
    for (int fd = 0; set != NULL && fd < count; fd++) {
        if (FD_ISSET(fd, set) && fcntl(fd, F_GETFL) == -1) {
            return 0;
        }
    }
    return 1;
}

int __wrap_select(int count, fd_set *readable, fd_set *writable, fd_set *failed, struct timeval *timeout)
{
    if (!are_open(count, readable) || !are_open(count, writable) || !are_open(count, failed)) {
        return -1;
    }
    int result = __real_select(count, readable, writable, failed, timeout);
    deliver_if(result == -1 && errno == EINTR);
    return result;
}

/* Gives an error number, as POSIX has it; nanosleep, sleep and usleep stand on it. */
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    int error = __real_clock_nanosleep(clock, flags, time, left);
    deliver_if(error == EINTR);
    return error;
}

#include <sys/epoll.h>

#include "host.h"
#include "signals.h"

_Static_assert(sizeof(struct epoll_event) == 16, "the operating system writes records of 16 bytes");

int epoll_create1(int flags)
{
    if (flags != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = -1;
    int error = host_epoll_create(&fd);
    return host_result(error, fd);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    if (event == NULL && op != EPOLL_CTL_DEL) {
        errno = EFAULT;
        return -1;
    }
    uint32_t events = event == NULL ? 0 : event->events;
    uint64_t data = event == NULL ? 0 : event->data.u64;
    return host_result(host_epoll_ctl(epfd, op, fd, events, data), 0);
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
    if (maxevents <= 0) {
        errno = EINVAL;
        return -1;
    }
    int count = 0;
    int error = host_epoll_wait(epfd, events, maxevents, timeout, &count);
    if (error == EINTR) {
        sevenfold_deliver_signals();
    }
    return host_result(error, count);
}

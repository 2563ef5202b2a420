/* Waiting for many file descriptors, as on Linux: epoll(7), level-triggered. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EPOLLIN 0x001
#define EPOLLOUT 0x004
#define EPOLLERR 0x008
#define EPOLLHUP 0x010

#define EPOLL_CLOEXEC 0
#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3

typedef union epoll_data {
    void *ptr;
    int fd;
    uint32_t u32;
    uint64_t u64;
} epoll_data_t;

struct epoll_event {
    uint32_t events;
    epoll_data_t data;
};

/* A new epoll instance; it is itself a file descriptor that can be waited for. -1 with errno EMFILE. */
int epoll_create1(int flags);

/* Adds, changes or removes a file descriptor. -1 with errno EBADF, EEXIST, ENOENT, EPERM (a file that
 * cannot be waited for), EINVAL or EFAULT. Only the events above exist: edge triggering does not. */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);

/* Waits at most `timeout` milliseconds (negative: without end). The number of events, or -1 with errno. */
int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout);

#ifdef __cplusplus
}
#endif

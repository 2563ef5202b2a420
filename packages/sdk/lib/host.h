/* The operating system's calls, module "sevenfold"; the device's half of this list is
 * packages/os/src/kernel/import-table.ts. Each returns 0 or an errno value. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_CALL(name) __attribute__((import_module("sevenfold"), import_name(#name)))

HOST_CALL(log_write) int host_log_write(const char *text, size_t length);
HOST_CALL(gpio_open) int host_gpio_open(int pin, int isOutput, int mode, int value, int *outFd);
HOST_CALL(gpio_get) int host_gpio_get(int fd, uint8_t *outValue);
HOST_CALL(gpio_set) int host_gpio_set(int fd, int value);
HOST_CALL(timer_create) int host_timer_create(int clock, int flags, int *outFd);
HOST_CALL(timer_set) int host_timer_set(int fd, int flags, int64_t valueNs, int64_t intervalNs);
/* outTimes: nanoseconds to the next expiration, nanoseconds of the period. */
HOST_CALL(timer_get) int host_timer_get(int fd, int64_t outTimes[2]);
HOST_CALL(epoll_create) int host_epoll_create(int *outFd);
HOST_CALL(epoll_ctl) int host_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data);
/* outEvents: records of 16 bytes {u32 events, u32 0, u64 data}: struct epoll_event. */
HOST_CALL(epoll_wait) int host_epoll_wait(int epfd, void *outEvents, int most, int timeoutMs, int *outCount);
HOST_CALL(mutable_open) int host_mutable_open(int *outFd);
HOST_CALL(mutable_delete) int host_mutable_delete(void);
HOST_CALL(device_auth_ready) int host_device_auth_ready(uint8_t *outReady);
/* A text with its NUL. */
HOST_CALL(device_id) int host_device_id(char *outText, size_t size);
HOST_CALL(tls_connect) int host_tls_connect(const char *host, size_t length, int port, int identity, int *outFd);

/* errno set and -1, as POSIX wants it; `value` when the call succeeded. */
static inline int host_result(int error, int value)
{
    if (error != 0) {
        errno = error;
        return -1;
    }
    return value;
}

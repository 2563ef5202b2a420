#include <eventloop_timer_utilities.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct EventLoopTimer {
    EventLoop *eventLoop;
    EventRegistration *registration;
    EventLoopTimerHandler handler;
    int fd;
};

static void TimerCallback(EventLoop *eventLoop, int fd, EventLoop_IoEvents events, void *context)
{
    (void)eventLoop;
    (void)fd;
    (void)events;
    EventLoopTimer *timer = context;
    timer->handler(timer);
}

static int SetTimer(EventLoopTimer *timer, const struct timespec *delay, const struct timespec *period)
{
    static const struct timespec never = {0};
    struct itimerspec times = {
        .it_value = delay == NULL ? never : *delay,
        .it_interval = period == NULL ? never : *period,
    };
    return timerfd_settime(timer->fd, 0, &times, NULL);
}

EventLoopTimer *CreateEventLoopDisarmedTimer(EventLoop *eventLoop, EventLoopTimerHandler handler)
{
    if (eventLoop == NULL || handler == NULL) {
        errno = EINVAL;
        return NULL;
    }
    EventLoopTimer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) {
        return NULL;
    }
    timer->eventLoop = eventLoop;
    timer->handler = handler;
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (timer->fd == -1) {
        free(timer);
        return NULL;
    }
    timer->registration = EventLoop_RegisterIo(eventLoop, timer->fd, EventLoop_Input, TimerCallback, timer);
    if (timer->registration == NULL) {
        DisposeEventLoopTimer(timer);
        return NULL;
    }
    return timer;
}

EventLoopTimer *CreateEventLoopPeriodicTimer(EventLoop *eventLoop, EventLoopTimerHandler handler,
                                             const struct timespec *period)
{
    EventLoopTimer *timer = CreateEventLoopDisarmedTimer(eventLoop, handler);
    if (timer != NULL && SetEventLoopTimerPeriod(timer, period) == -1) {
        DisposeEventLoopTimer(timer);
        return NULL;
    }
    return timer;
}

void DisposeEventLoopTimer(EventLoopTimer *timer)
{
    if (timer == NULL) {
        return;
    }
    int error = errno;
    EventLoop_UnregisterIo(timer->eventLoop, timer->registration);
    close(timer->fd);
    free(timer);
    errno = error;
}

int ConsumeEventLoopTimerEvent(EventLoopTimer *timer)
{
    uint64_t expirations;
    return read(timer->fd, &expirations, sizeof expirations) == sizeof expirations ? 0 : -1;
}

int SetEventLoopTimerPeriod(EventLoopTimer *timer, const struct timespec *period)
{
    return SetTimer(timer, period, period);
}

int SetEventLoopTimerOneShot(EventLoopTimer *timer, const struct timespec *delay)
{
    return SetTimer(timer, delay, NULL);
}

int DisarmEventLoopTimer(EventLoopTimer *timer)
{
    return SetTimer(timer, NULL, NULL);
}

/* Timers on an EventLoop. */
#pragma once

#include <time.h>

#include <applibs/eventloop.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EventLoopTimer EventLoopTimer;

/* Called at every expiration; call ConsumeEventLoopTimerEvent first. */
typedef void (*EventLoopTimerHandler)(EventLoopTimer *timer);

/* A timer that fires every `period`. NULL with errno. */
EventLoopTimer *CreateEventLoopPeriodicTimer(EventLoop *eventLoop, EventLoopTimerHandler handler,
                                             const struct timespec *period);

/* A timer that waits for SetEventLoopTimerPeriod or SetEventLoopTimerOneShot. NULL with errno. */
EventLoopTimer *CreateEventLoopDisarmedTimer(EventLoop *eventLoop, EventLoopTimerHandler handler);

/* Ends a timer; NULL is none. */
void DisposeEventLoopTimer(EventLoopTimer *timer);

/* Takes the expiration, so that the loop can wait for the next one. -1 with errno. */
int ConsumeEventLoopTimerEvent(EventLoopTimer *timer);

/* From now on fires every `period`. -1 with errno. */
int SetEventLoopTimerPeriod(EventLoopTimer *timer, const struct timespec *period);

/* Fires once, after `delay`. -1 with errno. */
int SetEventLoopTimerOneShot(EventLoopTimer *timer, const struct timespec *delay);

/* Stops firing. -1 with errno. */
int DisarmEventLoopTimer(EventLoopTimer *timer);

#ifdef __cplusplus
}
#endif

#include "eventloop_timer_utilities.h"
#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <sys/timerfd.h>
#include <time.h>

// A timer every ten seconds for as long as it runs; every hour it says how many came, and how many of them late.
enum { PERIOD = 10, REPORT = 360 };

static unsigned count, late;
static struct timespec next;

static void OnTimer(EventLoopTimer *timer)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ConsumeEventLoopTimerEvent(timer);
    count++;
    next.tv_sec += PERIOD;
    if (now.tv_sec != next.tv_sec)
        late++;
    if (count % REPORT == 0)
        Log_Debug("%u timers, %u late\n", count, late);
}

int main(void)
{
    EventLoop *loop = EventLoop_Create();
    struct timespec period = {PERIOD, 0};
    clock_gettime(CLOCK_MONOTONIC, &next);
    if (CreateEventLoopPeriodicTimer(loop, OnTimer, &period) == NULL)
        return 1;
    return EventLoop_Run(loop, -1, false) == EventLoop_Run_Failed;
}

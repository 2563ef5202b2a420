#include "eventloop_timer_utilities.h"
#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

// Drives a pin from a timer of the event loop, as often as its arguments say.

static int pinFd = -1;
static int level;

static void OnTimer(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) != 0)
        exit(2);
    level = !level;
    if (GPIO_SetValue(pinFd, level ? GPIO_Value_High : GPIO_Value_Low) != 0)
        exit(3);
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"period", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    long period = 1000;
    for (int option; (option = getopt_long(argc, argv, "p:", options, NULL)) != -1;)
        if (option == 'p')
            period = strtol(optarg, NULL, 10);
    Log_Debug("clock: every %ld ms\n", period);
    pinFd = GPIO_OpenAsOutput(8, GPIO_OutputMode_PushPull, GPIO_Value_Low);
    EventLoop *loop = EventLoop_Create();
    struct timespec interval = {period / 1000, (period % 1000) * 1000000};
    if (pinFd < 0 || loop == NULL || CreateEventLoopPeriodicTimer(loop, OnTimer, &interval) == NULL)
        return 1;
    return EventLoop_Run(loop, -1, false) == EventLoop_Run_Failed ? 4 : 0;
}

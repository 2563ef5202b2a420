/* Lights a lamp for as long as a button is pressed. Pins have no interrupts: it looks 50 times a second. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <eventloop_timer_utilities.h>

#include "hw/hardware.h"

static int buttonFd = -1;
static int lampFd = -1;
static GPIO_Value_Type last = GPIO_Value_High;

static void Look(EventLoopTimer *timer)
{
    GPIO_Value_Type now;
    if (ConsumeEventLoopTimerEvent(timer) == -1 || GPIO_GetValue(buttonFd, &now) == -1 || now == last) {
        return;
    }
    last = now;
    /* Both are low when active. */
    GPIO_SetValue(lampFd, now);
    Log_Debug("button %s\n", now == GPIO_Value_Low ? "pressed" : "released");
}

int main(void)
{
    buttonFd = GPIO_OpenAsInput(BUTTON);
    lampFd = GPIO_OpenAsOutput(LAMP, GPIO_OutputMode_OpenDrain, GPIO_Value_High);
    if (buttonFd == -1 || lampFd == -1) {
        Log_Debug("pins: %s\n", strerror(errno));
        return 1;
    }
    static const struct timespec period = {.tv_nsec = 20 * 1000 * 1000};
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL || CreateEventLoopPeriodicTimer(eventLoop, Look, &period) == NULL) {
        return 2;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed) {
    }
    return 3;
}

/* Blinks an LED; the button makes it blink faster. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <applibs/eventloop.h>
#include <applibs/gpio.h>
#include <applibs/log.h>
#include <eventloop_timer_utilities.h>

#include "hw/hardware.h"

typedef enum {
    ExitCode_Success = 0,
    ExitCode_EventLoop = 1,
    ExitCode_Led = 2,
    ExitCode_Button = 3,
    ExitCode_Timer = 4
} ExitCode;

/* Half periods, in milliseconds. */
static const long blinkMilliseconds[] = {500, 250, 125};
#define PACES (sizeof blinkMilliseconds / sizeof blinkMilliseconds[0])
#define NANOSECONDS_PER_MILLISECOND 1000000

static int ledFd = -1;
static int buttonFd = -1;
static EventLoopTimer *blinkTimer;
static size_t pace;
static bool isLit;
static GPIO_Value_Type lastButton = GPIO_Value_High;

static struct timespec BlinkPeriod(void)
{
    return (struct timespec){.tv_nsec = blinkMilliseconds[pace] * NANOSECONDS_PER_MILLISECOND};
}

static void OnBlink(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        return;
    }
    isLit = !isLit;
    /* The LED is lit while the pin is low. */
    GPIO_SetValue(ledFd, isLit ? GPIO_Value_Low : GPIO_Value_High);
}

static void OnButtonPoll(EventLoopTimer *timer)
{
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        return;
    }
    GPIO_Value_Type button;
    if (GPIO_GetValue(buttonFd, &button) == -1 || button == lastButton) {
        return;
    }
    lastButton = button;
    if (button == GPIO_Value_Low) {
        pace = (pace + 1) % PACES;
        struct timespec period = BlinkPeriod();
        SetEventLoopTimerPeriod(blinkTimer, &period);
        Log_Debug("blinking every %ld ms\n", 2 * blinkMilliseconds[pace]);
    }
}

int main(void)
{
    Log_Debug("{{NAME}} started\n");
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL) {
        return ExitCode_EventLoop;
    }
    ledFd = GPIO_OpenAsOutput(APP_LED, GPIO_OutputMode_PushPull, GPIO_Value_High);
    if (ledFd == -1) {
        Log_Debug("LED: %s\n", strerror(errno));
        return ExitCode_Led;
    }
    buttonFd = GPIO_OpenAsInput(APP_BUTTON);
    if (buttonFd == -1) {
        Log_Debug("button: %s\n", strerror(errno));
        return ExitCode_Button;
    }
    struct timespec blinkPeriod = BlinkPeriod();
    struct timespec pollPeriod = {.tv_nsec = 10 * NANOSECONDS_PER_MILLISECOND};
    blinkTimer = CreateEventLoopPeriodicTimer(eventLoop, OnBlink, &blinkPeriod);
    if (blinkTimer == NULL || CreateEventLoopPeriodicTimer(eventLoop, OnButtonPoll, &pollPeriod) == NULL) {
        return ExitCode_Timer;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed || errno == EINTR) {
    }
    return ExitCode_EventLoop;
}

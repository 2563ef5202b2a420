/* A knob sets how bright a lamp is: the ADC reads it ten times a second, PWM dims. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <applibs/adc.h>
#include <applibs/eventloop.h>
#include <applibs/log.h>
#include <applibs/pwm.h>
#include <eventloop_timer_utilities.h>

#include "hw/hardware.h"

#define PERIOD_NS 1000000

static int knobFd = -1;
static int lampFd = -1;
static int bits;

static void Follow(EventLoopTimer *timer)
{
    uint32_t sample;
    if (ConsumeEventLoopTimerEvent(timer) == -1 || ADC_Poll(knobFd, KNOB_CHANNEL, &sample) == -1) {
        return;
    }
    const uint32_t full = (1U << bits) - 1;
    const PwmState state = {.period_nsec = PERIOD_NS,
                            .dutyCycle_nsec = (unsigned)((uint64_t)PERIOD_NS * sample / full),
                            .polarity = PWM_Polarity_Normal,
                            .enabled = true};
    if (PWM_Apply(lampFd, LAMP_CHANNEL, &state) == -1) {
        Log_Debug("PWM: %s\n", strerror(errno));
    }
}

int main(void)
{
    knobFd = ADC_Open(KNOB);
    bits = knobFd == -1 ? -1 : ADC_GetSampleBitCount(knobFd, KNOB_CHANNEL);
    if (bits == -1 || ADC_SetReferenceVoltage(knobFd, KNOB_CHANNEL, 2.5f) == -1) {
        Log_Debug("ADC: %s\n", strerror(errno));
        return 1;
    }
    lampFd = PWM_Open(LAMPS);
    if (lampFd == -1) {
        Log_Debug("PWM: %s\n", strerror(errno));
        return 2;
    }
    static const struct timespec period = {.tv_nsec = 100 * 1000 * 1000};
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL || CreateEventLoopPeriodicTimer(eventLoop, Follow, &period) == NULL) {
        return 3;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed) {
    }
    return 4;
}

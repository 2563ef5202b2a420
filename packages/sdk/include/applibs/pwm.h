/* Pulse-width modulation: needs the controller in the manifest's Capabilities.Pwm, which takes all four of its pins. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t PWM_ControllerId;
typedef uint32_t PWM_ChannelId;

typedef uint32_t PwmPolarity;
/* Inversed: the duty cycle is the part of the period at the low level. */
enum { PWM_Polarity_Normal = 0, PWM_Polarity_Inversed = 1 };

typedef struct PwmState {
    /* Nanoseconds; the duty cycle is at most the period. */
    unsigned int period_nsec;
    unsigned int dutyCycle_nsec;
    PwmPolarity polarity;
    bool enabled;
} PwmState;

/* Opens a controller for this app alone; close with close(2). Returns a file descriptor, or -1 with errno EACCES (not
 * in the manifest), ENODEV or EBUSY. */
int PWM_Open(PWM_ControllerId pwm);

/* Puts a wave on a channel, all of it at once. Returns 0, or -1 with errno EINVAL (NULL, or a state that cannot be:
 * periods from 39 ns to 4 s), ENODEV (no such channel) or EBADF. */
int PWM_Apply(int pwmFd, PWM_ChannelId pwmChannel, const PwmState *newState);

#ifdef __cplusplus
}
#endif

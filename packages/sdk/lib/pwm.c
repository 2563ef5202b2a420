#include <applibs/pwm.h>

#include "host.h"

int PWM_Open(PWM_ControllerId pwm)
{
    int fd = -1;
    int error = host_pwm_open((int)pwm, &fd);
    return host_result(error, fd);
}

int PWM_Apply(int pwmFd, PWM_ChannelId pwmChannel, const PwmState *newState)
{
    if (newState == NULL) {
        errno = EINVAL;
        return -1;
    }
    return host_result(host_pwm_apply(pwmFd, pwmChannel, newState->period_nsec, newState->dutyCycle_nsec,
                                      (int)newState->polarity, newState->enabled),
                       0);
}

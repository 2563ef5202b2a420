/* PWM: groups 0 to 2 of four channels, on the pins of GPIO groups 0 to 2. */
#pragma once

#include "core.h"

/*
 * A wave of so many nanoseconds, high for a part of them; `high_ns` of 0 stops the channel. Channels of a group share a
 * clock: one of 38 ns that reaches periods of 2.5 ms, or one of 500 ns that reaches 32 ms. False: out of reach, or of
 * the clock that the group's other channels run on.
 */
bool pwm_set(unsigned group, unsigned channel, uint32_t period_ns, uint32_t high_ns);

/* PWM: groups 0 to 2 of four channels, on the pins of GPIO groups 0 to 2. */
#pragma once

#include "core.h"

/* A wave of so many nanoseconds, high for a part of them; false: out of reach. `high` of 0 stops the channel. */
bool pwm_set(unsigned group, unsigned channel, uint32_t period_ns, uint32_t high_ns);

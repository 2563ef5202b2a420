/* Analogue inputs: channels 0 to 7 are pins 41 to 48. */
#pragma once

#include "core.h"

void adc_open(void);
/* A sample of 12 bits; negative: no such channel. */
int32_t adc_read(unsigned channel);

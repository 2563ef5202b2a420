/* General-purpose timers: two that interrupt (0 and 1), a clock of 32768 Hz, and microseconds. */
#pragma once

#include "core.h"

#define GPT_HZ 32768u

/* Calls `handler` after so many ticks of 1/32768 s, once or again and again. The kernel uses timer 1. */
void gpt_start(unsigned timer, uint32_t ticks, bool repeats, interrupt_handler handler);
void gpt_stop(unsigned timer);
/* Ticks of 1/32768 s since the first call; goes round after 36 hours. */
uint32_t gpt_ticks(void);
/* Microseconds since the first call; goes round after 71 minutes. */
uint32_t gpt_microseconds(void);
void gpt_wait_microseconds(uint32_t microseconds);
/* Calls `handler` in so many microseconds, once. */
void gpt_alarm(uint32_t microseconds, interrupt_handler handler);

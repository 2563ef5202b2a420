/* The core's watchdog: who does not feed it in time starts anew. */
#pragma once

#include "core.h"

/* Starts it: 1 to 63968 ms, in steps of 1/32 s. */
void watchdog_start(uint32_t milliseconds);
void watchdog_feed(void);
void watchdog_stop(void);
/* Starts anew at once. */
void watchdog_reset(void) __attribute__((noreturn));
enum watchdog_cause { WATCHDOG_NONE, WATCHDOG_NOT_FED, WATCHDOG_RESET };
/* Whether this run was begun by the watchdog, and why. */
enum watchdog_cause watchdog_cause(void);

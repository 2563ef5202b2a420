/* Pins by their number in the manifest, and interrupts on the first 24. */
#pragma once

#include "core.h"

enum gpio_pull { GPIO_PULL_NONE, GPIO_PULL_UP, GPIO_PULL_DOWN };
enum gpio_edge { GPIO_EDGE_FALLING, GPIO_EDGE_RISING, GPIO_EDGE_BOTH };

/* Each answers false for a number that is no pin of a real-time core. */
bool gpio_output(unsigned pin, bool level);
bool gpio_input(unsigned pin, enum gpio_pull pull);
bool gpio_write(unsigned pin, bool level);
/* The level; false for what is no pin. */
bool gpio_read(unsigned pin);
/* Calls `handler` at edges of pins 0 to 23. `debounce` is 0 (none) to 15. */
bool gpio_on_edge(unsigned pin, enum gpio_edge edge, unsigned debounce, interrupt_handler handler);

/* The same with the memory protection unit: the store that would have spoilt something does not happen. */
#define WITH_GUARD
#include "rtos-overflow.c"

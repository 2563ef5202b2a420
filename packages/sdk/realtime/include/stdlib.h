/* The part of stdlib.h that a program without a C library has here: memory is static. */
#pragma once

#include <stddef.h>

void abort(void) __attribute__((noreturn));
int abs(int value);

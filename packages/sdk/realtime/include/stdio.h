/* Text to the core's debug UART, opened by the first use at 115200 baud. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * d i u x X c s p %, with width, `-`, `0`, `l`, `ll`, `z` and a precision for s; f with up to six places. Answers the
 * number of characters that there are, written or not.
 */
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *format, va_list arguments);
int snprintf(char *to, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *to, size_t room, const char *format, va_list arguments);
int puts(const char *text);
int putchar(int character);

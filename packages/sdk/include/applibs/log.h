/* Debug messages of an application. */
#pragma once

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes one printf-style message to the device's log; the last lines travel with a failure's report.
 * Messages are cut after 1023 bytes. Returns 0, or -1 with errno EFAULT when fmt is NULL. */
int Log_Debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As Log_Debug, with the arguments in a va_list. */
int Log_DebugVarArgs(const char *fmt, va_list args);

#ifdef __cplusplus
}
#endif

#include <applibs/log.h>

#include <stdio.h>

#include "host.h"

#define MESSAGE_SIZE 1024

int Log_DebugVarArgs(const char *fmt, va_list args)
{
    if (fmt == NULL) {
        errno = EFAULT;
        return -1;
    }
    char message[MESSAGE_SIZE];
    int length = vsnprintf(message, sizeof message, fmt, args);
    if (length < 0) {
        return -1;
    }
    size_t written = (size_t)length < sizeof message ? (size_t)length : sizeof message - 1;
    return host_result(host_log_write(message, written), 0);
}

int Log_Debug(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int result = Log_DebugVarArgs(fmt, args);
    va_end(args);
    return result;
}

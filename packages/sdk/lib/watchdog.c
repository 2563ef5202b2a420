#include <sevenfold/watchdog.h>

#include "host.h"

int Watchdog_Set(uint32_t milliseconds)
{
    return host_result(host_watchdog_set(milliseconds), 0);
}

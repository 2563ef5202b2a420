#include <applibs/rtc.h>

#include "host.h"

int clock_systohc(void)
{
    return host_result(host_rtc_set(), 0);
}

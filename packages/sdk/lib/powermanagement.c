#include <applibs/powermanagement.h>

#include "host.h"

int PowerManagement_ForceSystemReboot(void)
{
    return host_result(host_reboot(), 0);
}

int PowerManagement_ForceSystemPowerDown(unsigned int maximum_residency_in_seconds)
{
    return host_result(host_power_down(maximum_residency_in_seconds), 0);
}

int PowerManagement_SetSystemPowerProfile(PowerManagement_System_PowerProfile desired_profile)
{
    return host_result(host_power_profile((uint32_t)desired_profile), 0);
}

/* Restart, power-down and power profile: each needs its entry in the manifest's Capabilities.PowerControls. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    PowerManagement_PowerSaver = 0,
    PowerManagement_Balanced = 1,
    PowerManagement_HighPerformance = 2
} PowerManagement_System_PowerProfile;

/* Every app gets SIGTERM, then the device restarts; the call itself returns at once. Needs ForceReboot. Returns 0, or -1
 * with errno EACCES. */
int PowerManagement_ForceSystemReboot(void);

/* Every app gets SIGTERM, then everything is off but the real-time clock, until its alarm or the WAKEUP pin; the device
 * boots from scratch then. It may wake earlier than asked for, after a day at the latest. The call itself returns at
 * once. Needs ForcePowerDown. Returns 0, or -1 with errno EACCES or EINVAL (0 seconds). */
int PowerManagement_ForceSystemPowerDown(unsigned int maximum_residency_in_seconds);

/* Needs SetPowerProfile. Returns 0, or -1 with errno EACCES or EINVAL. */
int PowerManagement_SetSystemPowerProfile(PowerManagement_System_PowerProfile desired_profile);

#ifdef __cplusplus
}
#endif

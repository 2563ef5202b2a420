/* Tells once a minute what it uses of the device's memory, and says to its watchdog that it is alive (applications.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <applibs/applications.h>
#include <applibs/log.h>
#include <sevenfold/watchdog.h>

#define PERIOD_SECONDS 60
#define WATCHDOG_MS 90000
#define PEAK_BYTES (64 * 1024)

int main(void)
{
    Applications_OsVersion os;
    if (Applications_GetOsVersion(&os) == -1) {
        Log_Debug("version: %s\n", strerror(errno));
        return 1;
    }
    Log_Debug("on %s\n", os.version);
    for (unsigned minute = 0;; minute++) {
        if (Watchdog_Set(WATCHDOG_MS) == -1) {
            return 2;
        }
        /* Once: what was used and given back stays in the peak. */
        char *much = minute == 1 ? malloc(PEAK_BYTES) : NULL;
        if (much != NULL) {
            memset(much, (int)minute, PEAK_BYTES);
        }
        Log_Debug("minute %u: %u KiB of %u, at most %u\n", minute,
                  (unsigned)Applications_GetUserModeMemoryUsageInKB(),
                  (unsigned)Applications_GetTotalMemoryUsageInKB(),
                  (unsigned)Applications_GetPeakUserModeMemoryUsageInKB());
        free(much);
        sleep(PERIOD_SECONDS);
    }
}

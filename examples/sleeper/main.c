/* Works for two seconds, then has the device sleep for an hour: all it remembers is in its mutable file, and the time is
 * that of the real-time clock. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/log.h>
#include <applibs/powermanagement.h>
#include <applibs/rtc.h>
#include <applibs/storage.h>

#define SLEEP_SECONDS 3600

typedef struct {
    uint32_t wakes;
    int64_t asleepSince;
} Memory;

static int Remember(int fd, const Memory *memory)
{
    return lseek(fd, 0, SEEK_SET) == 0 && write(fd, memory, sizeof *memory) == (ssize_t)sizeof *memory ? 0 : -1;
}

int main(void)
{
    int fd = Storage_OpenMutableFile();
    if (fd == -1) {
        Log_Debug("mutable file: %s\n", strerror(errno));
        return 1;
    }
    Memory memory = {0};
    if (read(fd, &memory, sizeof memory) == (ssize_t)sizeof memory) {
        memory.wakes += 1;
        Log_Debug("awake again, number %u, after %d minutes\n", (unsigned)memory.wakes,
                  (int)((time(NULL) - memory.asleepSince) / 60));
    } else {
        Log_Debug("first start\n");
    }
    if (PowerManagement_SetSystemPowerProfile(PowerManagement_PowerSaver) == -1) {
        Log_Debug("power profile: %s\n", strerror(errno));
    }

    sleep(2);

    memory.asleepSince = time(NULL);
    if (Remember(fd, &memory) == -1 || clock_systohc() == -1) {
        Log_Debug("not remembered: %s\n", strerror(errno));
        return 2;
    }
    if (PowerManagement_ForceSystemPowerDown(SLEEP_SECONDS) == -1) {
        Log_Debug("power-down: %s\n", strerror(errno));
        return 3;
    }
    /* The call returns at once; the end comes. */
    for (;;) {
        sleep(60);
    }
}

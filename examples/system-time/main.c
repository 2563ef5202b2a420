/* Sets the clock of the system and the real-time clock, has the device restart, and finds the time again. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/log.h>
#include <applibs/networking.h>
#include <applibs/powermanagement.h>
#include <applibs/rtc.h>
#include <applibs/storage.h>

/* 2031-05-06 07:08:09 UTC, as a user would set it by hand on a device without a network. */
#define CHOSEN_TIME 1935817689

typedef enum { ExitCode_Success = 0, ExitCode_Clock = 1, ExitCode_Restart = 2, ExitCode_Storage = 3 } ExitCode;

static void Tell(const char *what)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[32];
    gmtime_r(&now, &parts);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    Log_Debug("%s: %s\n", what, text);
}

/* False: it cannot be remembered. */
static bool WasHere(bool *before)
{
    uint8_t mark = 0;
    int fd = Storage_OpenMutableFile();
    if (fd == -1) {
        return false;
    }
    *before = read(fd, &mark, 1) == 1;
    mark = 1;
    bool isKept = lseek(fd, 0, SEEK_SET) == 0 && write(fd, &mark, 1) == 1;
    close(fd);
    return isKept;
}

int main(void)
{
    bool before = false;
    if (!WasHere(&before)) {
        Log_Debug("file: %s\n", strerror(errno));
        return ExitCode_Storage;
    }
    if (before) {
        Tell("found");
        for (;;) {
            sleep(3600);
        }
    }
    /* Time from the network would be put in its place. */
    if (Networking_TimeSync_SetEnabled(false) == -1) {
        Log_Debug("time sync: %s\n", strerror(errno));
        return ExitCode_Clock;
    }
    struct timespec chosen = {.tv_sec = CHOSEN_TIME};
    if (clock_settime(CLOCK_REALTIME, &chosen) == -1 || clock_systohc() == -1) {
        Log_Debug("clock: %s\n", strerror(errno));
        return ExitCode_Clock;
    }
    Tell("set");
    if (PowerManagement_ForceSystemReboot() == -1) {
        Log_Debug("restart: %s\n", strerror(errno));
        return ExitCode_Restart;
    }
    /* The call returns at once; the end comes. */
    for (;;) {
        sleep(60);
    }
}

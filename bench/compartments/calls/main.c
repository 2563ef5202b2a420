#include <applibs/gpio.h>
#include <applibs/log.h>
#include <applibs/storage.h>
#include <time.h>
#include <unistd.h>

// Cost of calls in nanoseconds: the first two are answered inside the compartment, the last crosses to the kernel.
enum { ROUNDS = 7, INSIDE = 100000, CROSSING = 2000 };

static double Now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double ReadClock(int fd)
{
    (void)fd;
    struct timespec now;
    double start = Now();
    for (int i = 0; i < INSIDE; i++)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (Now() - start) / INSIDE;
}

static double ReadFile(int fd)
{
    char buffer[64];
    double start = Now();
    for (int i = 0; i < INSIDE; i++)
        pread(fd, buffer, sizeof buffer, i & 63);
    return (Now() - start) / INSIDE;
}

static double SetPin(int fd)
{
    double start = Now();
    for (int i = 0; i < CROSSING; i++)
        GPIO_SetValue(fd, (GPIO_Value_Type)(i & 1));
    return (Now() - start) / CROSSING;
}

static void Measure(const char *name, double (*call)(int), int fd)
{
    double times[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        double time = call(fd);
        int at = i;
        for (; at > 0 && times[at - 1] > time; at--)
            times[at] = times[at - 1];
        times[at] = time;
    }
    Log_Debug("%s %d ns\n", name, (int)times[ROUNDS / 2]);
}

int main(void)
{
    Measure("clock_gettime", ReadClock, -1);
    Measure("pread", ReadFile, Storage_OpenFileInImagePackage("app_manifest.json"));
    Measure("GPIO_SetValue", SetPin, GPIO_OpenAsOutput(8, GPIO_OutputMode_PushPull, GPIO_Value_Low));
    Log_Debug("measured\n");
    for (;;)
        sleep(3600);
}

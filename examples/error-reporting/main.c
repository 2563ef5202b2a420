/* Fails in a different way in each of its lives, so that each failure is reported by itself: it leaves with an exit code,
 * reads through a null pointer, writes past the end of an array, calls itself without end, and says nothing any more
 * though it asked for a watchdog. From its sixth life on it has got over it. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <applibs/log.h>
#include <applibs/storage.h>
#include <sevenfold/watchdog.h>

#define SAMPLES 8
#define WATCHDOG_MS 2000

typedef enum { ExitCode_Success = 0, ExitCode_Storage = 1, ExitCode_Sensor = 42 } ExitCode;

typedef struct {
    int value;
} Sensor;

static volatile int sink;

/* Not inlined: a stack in a report tells who called whom. */
__attribute__((noinline)) static int ReadSensor(const Sensor *sensor)
{
    return sensor->value;
}

__attribute__((noinline)) static void KeepSample(unsigned index)
{
    int samples[SAMPLES];
    samples[index] = 7;
    sink = samples[index % SAMPLES];
}

__attribute__((noinline)) static int Average(int depth)
{
    /* The end that its author forgot to reach. */
    if (depth < 0) {
        return 0;
    }
    volatile int frame[64];
    frame[depth & 63] = depth;
    return Average(depth + 1) + frame[(depth + 1) & 63];
}

/* -1 with errno. */
static int CountLives(uint32_t *lives)
{
    int fd = Storage_OpenMutableFile();
    if (fd == -1) {
        return -1;
    }
    if (read(fd, lives, sizeof *lives) != (ssize_t)sizeof *lives) {
        *lives = 0;
    }
    *lives += 1;
    int result = lseek(fd, 0, SEEK_SET) == 0 && write(fd, lives, sizeof *lives) == (ssize_t)sizeof *lives ? 0 : -1;
    close(fd);
    return result;
}

int main(void)
{
    uint32_t lives = 0;
    if (CountLives(&lives) == -1) {
        Log_Debug("file: %s\n", strerror(errno));
        return ExitCode_Storage;
    }
    Log_Debug("life %u\n", (unsigned)lives);
    switch (lives) {
    case 1:
        return ExitCode_Sensor;
    case 2:
        sink = ReadSensor(NULL);
        break;
    case 3:
        KeepSample((unsigned)lives * SAMPLES);
        break;
    case 4:
        sink = Average(0);
        break;
    case 5:
        Watchdog_Set(WATCHDOG_MS);
        sleep(3600);
        break;
    default:
        break;
    }
    Log_Debug("well\n");
    for (;;) {
        sleep(3600);
    }
}

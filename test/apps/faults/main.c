#include <applibs/log.h>
#include <sevenfold/watchdog.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// One mistake a run, as its argument says: each must end the app where it is made, and nowhere else.

typedef struct Reading {
    int padding[4];
    int value;
} Reading;

static volatile int zero;
static int table[8];
static Reading *volatile nowhere;
static int guard = 0x5afe;

static inline int NullRead(void)
{
    return nowhere->value;
}

static inline void NullWrite(void)
{
    nowhere->value = 1;
}

static inline int PastEnd(int index)
{
    return table[index];
}

static inline void WritePastEnd(int index)
{
    int local[4] = {0};
    local[index] = 7;
    table[0] = local[zero];
}

static int Overflow(int depth)
{
    volatile char frame[512];
    frame[depth & 511] = (char)depth;
    int below = Overflow(depth + 1);
    return below + frame[depth & 511];
}

static inline int Divide(int by)
{
    return 7 / by;
}

static inline int FarAway(void)
{
    return *(volatile int *)(uintptr_t)0x7ffffff0u;
}

static inline int Callback(void)
{
    int (*volatile function)(int, int) = (int (*)(int, int))(uintptr_t)Divide;
    return function(1, 2);
}

static int Fail(const char *what)
{
    if (strcmp(what, "null-read") == 0)
        return NullRead();
    if (strcmp(what, "null-write") == 0)
        NullWrite();
    if (strcmp(what, "past-end") == 0)
        return PastEnd(8 + zero);
    if (strcmp(what, "write-past-end") == 0)
        WritePastEnd(4 + zero);
    if (strcmp(what, "stack-overflow") == 0)
        return Overflow(zero);
    if (strcmp(what, "divide") == 0)
        return Divide(zero);
    if (strcmp(what, "far-away") == 0)
        return FarAway();
    if (strcmp(what, "wrong-function") == 0)
        return Callback();
    if (strcmp(what, "silent") == 0) {
        Watchdog_Set(500);
        sleep(10);
    }
    if (strcmp(what, "abort") == 0)
        abort();
    return 0;
}

int main(int argc, char *argv[])
{
    const char *what = argc > 1 ? argv[1] : "";
    Log_Debug("about to fail: %s\n", what);
    int result = Fail(what);
    // Nothing of it may be reached.
    Log_Debug("went on with %d, guard %x\n", result, guard);
    return 99;
}

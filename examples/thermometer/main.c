/* Reads a temperature sensor each second and keeps the highest value in an EEPROM on the same bus. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <applibs/eventloop.h>
#include <applibs/i2c.h>
#include <applibs/log.h>
#include <eventloop_timer_utilities.h>

#include "hw/hardware.h"

#define SENSOR 0x48
#define EEPROM 0x50
#define NOBODY 0x33
#define EEPROM_PLACE 0x0040
#define STEPS_PER_DEGREE 16

static int busFd = -1;

/* In sixteenths of a degree. */
static int ReadTemperature(int *outSteps)
{
    static const uint8_t temperatureRegister = 0;
    uint8_t bytes[2];
    if (I2CMaster_WriteThenRead(busFd, SENSOR, &temperatureRegister, 1, bytes, sizeof bytes) != 3) {
        return -1;
    }
    *outSteps = (int16_t)((bytes[0] << 8) | bytes[1]) >> 4;
    return 0;
}

static int ReadHighest(int *outSteps)
{
    static const uint8_t place[] = {EEPROM_PLACE >> 8, EEPROM_PLACE & 0xff};
    uint8_t bytes[2];
    if (I2CMaster_WriteThenRead(busFd, EEPROM, place, sizeof place, bytes, sizeof bytes) == -1) {
        return -1;
    }
    /* An erased EEPROM holds -1. */
    *outSteps = (int16_t)((bytes[0] << 8) | bytes[1]);
    return 0;
}

static int WriteHighest(int steps)
{
    const uint8_t bytes[] = {EEPROM_PLACE >> 8, EEPROM_PLACE & 0xff, (uint8_t)(steps >> 8), (uint8_t)steps};
    if (I2CMaster_Write(busFd, EEPROM, bytes, sizeof bytes) == -1) {
        return -1;
    }
    /* It does not answer while it writes. */
    static const struct timespec pause = {.tv_nsec = 1000 * 1000};
    int waits = 0;
    while (I2CMaster_Write(busFd, EEPROM, NULL, 0) == -1) {
        if (errno != ENXIO || waits > 10) {
            return -1;
        }
        waits += 1;
        nanosleep(&pause, NULL);
    }
    Log_Debug("written after %d ms\n", waits);
    return 0;
}

static void Measure(EventLoopTimer *timer)
{
    int steps;
    int highest;
    if (ConsumeEventLoopTimerEvent(timer) == -1) {
        return;
    }
    if (ReadTemperature(&steps) == -1 || ReadHighest(&highest) == -1) {
        Log_Debug("I2C: %s\n", strerror(errno));
        return;
    }
    if (highest == -1 || steps > highest) {
        highest = steps;
        if (WriteHighest(highest) == -1) {
            Log_Debug("EEPROM: %s\n", strerror(errno));
        }
    }
    Log_Debug("%d.%02d degrees, highest %d.%02d\n", steps / STEPS_PER_DEGREE, steps % STEPS_PER_DEGREE * 100 / 16,
              highest / STEPS_PER_DEGREE, highest % STEPS_PER_DEGREE * 100 / 16);
}

int main(void)
{
    busFd = I2CMaster_Open(BUS);
    if (busFd == -1 || I2CMaster_SetBusSpeed(busFd, I2C_BUS_SPEED_FAST) == -1 || I2CMaster_SetTimeout(busFd, 100) == -1) {
        Log_Debug("I2C: %s\n", strerror(errno));
        return 1;
    }
    uint8_t byte;
    if (I2CMaster_Read(busFd, NOBODY, &byte, 1) == -1) {
        Log_Debug("nobody at 0x%02x: %s\n", NOBODY, strerror(errno));
    }
    I2CMaster_SetDefaultTargetAddress(busFd, SENSOR);
    static const uint8_t lowLimit = 2;
    uint8_t limit[2];
    if (write(busFd, &lowLimit, 1) == 1 && read(busFd, limit, 2) == 2) {
        Log_Debug("low limit %d degrees\n", (int8_t)limit[0]);
    }
    static const struct timespec period = {.tv_sec = 1};
    EventLoop *eventLoop = EventLoop_Create();
    if (eventLoop == NULL || CreateEventLoopPeriodicTimer(eventLoop, Measure, &period) == NULL) {
        return 2;
    }
    while (EventLoop_Run(eventLoop, -1, true) != EventLoop_Run_Failed) {
    }
    return 3;
}

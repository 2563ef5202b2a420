/* Writes a page of an SPI EEPROM and reads it back, and asks an accelerometer on the other select line who it is. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <applibs/log.h>
#include <applibs/spi.h>

#include "hw/hardware.h"

#define WRITE 0x02
#define READ 0x03
#define READ_STATUS 0x05
#define WRITE_ENABLE 0x06
#define BUSY 0x01
#define PAGE 64
#define PLACE 0x0140
#define WHO_AM_I 0x0f
#define READ_REGISTER 0x80

static int Open(SPI_ChipSelectId chipSelect)
{
    SPIMaster_Config config;
    if (SPIMaster_InitConfig(&config) == -1) {
        return -1;
    }
    config.csPolarity = SPI_ChipSelectPolarity_ActiveLow;
    int fd = SPIMaster_Open(BUS, chipSelect, &config);
    if (fd == -1 || SPIMaster_SetBusSpeed(fd, 4000000) == -1 || SPIMaster_SetMode(fd, SPI_Mode_3) == -1 ||
        SPIMaster_SetBitOrder(fd, SPI_BitOrder_MsbFirst) == -1) {
        return -1;
    }
    return fd;
}

static int WaitUntilWritten(int fd)
{
    static const uint8_t readStatus = READ_STATUS;
    static const struct timespec pause = {.tv_nsec = 1000 * 1000};
    for (int waits = 0; waits < 10; waits++) {
        uint8_t status;
        if (SPIMaster_WriteThenRead(fd, &readStatus, 1, &status, 1) != 2) {
            return -1;
        }
        if ((status & BUSY) == 0) {
            return waits;
        }
        nanosleep(&pause, NULL);
    }
    return -1;
}

static int WritePage(int fd, const uint8_t *page)
{
    static const uint8_t enable = WRITE_ENABLE;
    static const uint8_t command[] = {WRITE, PLACE >> 8, PLACE & 0xff};
    if (SPIMaster_WriteThenRead(fd, &enable, 1, NULL, 0) != 1) {
        return -1;
    }
    /* Command and data under one select. */
    SPIMaster_Transfer transfers[2];
    if (SPIMaster_InitTransfers(transfers, 2) == -1) {
        return -1;
    }
    transfers[0].flags = SPI_TransferFlags_Write;
    transfers[0].writeData = command;
    transfers[0].length = sizeof command;
    transfers[1].flags = SPI_TransferFlags_Write;
    transfers[1].writeData = page;
    transfers[1].length = PAGE;
    return SPIMaster_TransferSequential(fd, transfers, 2) == (ssize_t)sizeof command + PAGE ? 0 : -1;
}

int main(void)
{
    int memoryFd = Open(MEMORY_SELECT);
    int sensorFd = Open(SENSOR_SELECT);
    if (memoryFd == -1 || sensorFd == -1) {
        Log_Debug("SPI: %s\n", strerror(errno));
        return 1;
    }
    static const uint8_t whoAmI = WHO_AM_I | READ_REGISTER;
    uint8_t identity = 0;
    SPIMaster_WriteThenRead(sensorFd, &whoAmI, 1, &identity, 1);
    Log_Debug("the sensor is 0x%02x\n", identity);

    uint8_t page[PAGE];
    for (int i = 0; i < PAGE; i++) {
        page[i] = (uint8_t)(i * 3);
    }
    if (WritePage(memoryFd, page) == -1) {
        Log_Debug("write: %s\n", strerror(errno));
        return 2;
    }
    Log_Debug("written after %d ms\n", WaitUntilWritten(memoryFd));
    static const uint8_t command[] = {READ, PLACE >> 8, PLACE & 0xff};
    uint8_t back[PAGE] = {0};
    if (SPIMaster_WriteThenRead(memoryFd, command, sizeof command, back, PAGE) == -1) {
        Log_Debug("read: %s\n", strerror(errno));
        return 3;
    }
    Log_Debug("the page is %s\n", memcmp(page, back, PAGE) == 0 ? "the same" : "another");
    /* Lowest bit first the sensor is somebody else. */
    SPIMaster_SetBitOrder(sensorFd, SPI_BitOrder_LsbFirst);
    static const uint8_t mirrored = 0xf1;
    SPIMaster_WriteThenRead(sensorFd, &mirrored, 1, &identity, 1);
    Log_Debug("mirrored it is 0x%02x\n", identity);
    return 0;
}

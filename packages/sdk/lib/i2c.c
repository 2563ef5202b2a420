#include <applibs/i2c.h>

#include "host.h"

#define MOST_BYTES 4096
/* Leaves that half of a transfer out. */
#define NOTHING (-1)

int I2CMaster_Open(I2C_InterfaceId id)
{
    int fd = -1;
    int error = host_i2c_open(id, &fd);
    return host_result(error, fd);
}

int I2CMaster_SetBusSpeed(int fd, uint32_t speedInHz)
{
    return host_result(host_i2c_set_speed(fd, speedInHz), 0);
}

int I2CMaster_SetTimeout(int fd, uint32_t timeoutInMs)
{
    return host_result(host_i2c_set_timeout(fd, timeoutInMs), 0);
}

int I2CMaster_SetDefaultTargetAddress(int fd, I2C_DeviceAddress address)
{
    return host_result(host_i2c_set_target(fd, address), 0);
}

/* Whether a buffer may be used; errno says why not. */
static int is_usable(const void *buffer, size_t length)
{
    if (length > MOST_BYTES) {
        errno = EINVAL;
        return 0;
    }
    if (buffer == NULL && length > 0) {
        errno = EFAULT;
        return 0;
    }
    return 1;
}

ssize_t I2CMaster_Read(int fd, I2C_DeviceAddress address, uint8_t *buffer, size_t maxLength)
{
    if (!is_usable(buffer, maxLength)) {
        return -1;
    }
    int error = host_i2c_transfer(fd, address, NULL, NOTHING, buffer, (int)maxLength);
    return host_result(error, (int)maxLength);
}

ssize_t I2CMaster_Write(int fd, I2C_DeviceAddress address, const uint8_t *data, size_t length)
{
    if (!is_usable(data, length)) {
        return -1;
    }
    int error = host_i2c_transfer(fd, address, data, (int)length, NULL, NOTHING);
    return host_result(error, (int)length);
}

ssize_t I2CMaster_WriteThenRead(int fd, I2C_DeviceAddress address, const uint8_t *writeData, size_t lenWriteData,
                                uint8_t *readData, size_t lenReadData)
{
    if (!is_usable(writeData, lenWriteData) || !is_usable(readData, lenReadData)) {
        return -1;
    }
    int error = host_i2c_transfer(fd, address, writeData, (int)lenWriteData, readData, (int)lenReadData);
    return host_result(error, (int)(lenWriteData + lenReadData));
}

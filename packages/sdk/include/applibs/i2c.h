/* I2C masters: needs the unit in the manifest's Capabilities.I2cMaster. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Speeds in Hz; the chip does the first three. */
#define I2C_BUS_SPEED_STANDARD 100000U
#define I2C_BUS_SPEED_FAST 400000U
#define I2C_BUS_SPEED_FAST_PLUS 1000000U
#define I2C_BUS_SPEED_HIGH 3400000U

typedef int I2C_InterfaceId;
/* 7 bits, without the read/write bit. */
typedef uint32_t I2C_DeviceAddress;

/* Opens a unit for this app alone; close with close(2). Begins with standard speed and a timeout of a second.
 * Returns a file descriptor, or -1 with errno EACCES (not in the manifest), ENODEV or EBUSY. */
int I2CMaster_Open(I2C_InterfaceId id);

/* Returns 0, or -1 with errno EINVAL (a speed that the chip does not do) or EBADF. */
int I2CMaster_SetBusSpeed(int fd, uint32_t speedInHz);

/* How long a part may hold the clock; at most a minute. Returns 0, or -1 with errno EBADF. */
int I2CMaster_SetTimeout(int fd, uint32_t timeoutInMs);

/* Each returns the number of bytes moved, all of them, or -1 with errno EBUSY (somebody holds the bus), ENXIO (nobody
 * acknowledges), ETIMEDOUT (a part holds the clock), EINVAL (an address of more than 7 bits, more than 4096 bytes),
 * EFAULT or EBADF. A length of 0 only addresses the part; the buffer may be NULL then. */
ssize_t I2CMaster_Read(int fd, I2C_DeviceAddress address, uint8_t *buffer, size_t maxLength);
ssize_t I2CMaster_Write(int fd, I2C_DeviceAddress address, const uint8_t *data, size_t length);
/* START, write, repeated START, read, STOP; returns the sum of both. */
ssize_t I2CMaster_WriteThenRead(int fd, I2C_DeviceAddress address, const uint8_t *writeData, size_t lenWriteData,
                                uint8_t *readData, size_t lenReadData);

/* The part that read(2) and write(2) go to; EINVAL there before it is set. Does not look whether it is there. */
int I2CMaster_SetDefaultTargetAddress(int fd, I2C_DeviceAddress address);

#ifdef __cplusplus
}
#endif

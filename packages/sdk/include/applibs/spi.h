/* SPI masters: needs the unit in the manifest's Capabilities.SpiMaster. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <applibs/spi_structs_v1.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SPI_STRUCTS_VERSION
#define SPI_STRUCTS_VERSION 1
#endif

#if SPI_STRUCTS_VERSION == 1
typedef struct z__SPIMaster_Config_v1 SPIMaster_Config;
typedef struct z__SPIMaster_Transfer_v1 SPIMaster_Transfer;
#else
#error "SPI_STRUCTS_VERSION is not supported: 1 is"
#endif

typedef int SPI_InterfaceId;
/* A select line as the hardware definition names it: -1 is A, -2 is B. */
typedef int SPI_ChipSelectId;

typedef uint32_t SPI_Mode_Type;
/* Clock polarity and phase: 0/0, 0/1, 1/0, 1/1. */
typedef enum { SPI_Mode_Invalid = 0, SPI_Mode_0 = 1, SPI_Mode_1 = 2, SPI_Mode_2 = 3, SPI_Mode_3 = 4 } SPI_Mode;
typedef uint32_t SPI_BitOrder_Type;
typedef enum { SPI_BitOrder_Invalid = 0, SPI_BitOrder_LsbFirst = 1, SPI_BitOrder_MsbFirst = 2 } SPI_BitOrder;
typedef enum {
    SPI_ChipSelectPolarity_Invalid = 0,
    SPI_ChipSelectPolarity_ActiveLow = 1,
    SPI_ChipSelectPolarity_ActiveHigh = 2
} SPI_ChipSelectPolarity;
typedef enum { SPI_TransferFlags_None = 0, SPI_TransferFlags_Read = 1, SPI_TransferFlags_Write = 2 } SPI_TransferFlags;

/* Most transfers of one SPIMaster_TransferSequential. */
#define SPI_MASTER_MAX_TRANSFERS 256

/* The default: a select line that is active low. Returns 0, or -1 with errno EFAULT. */
int SPIMaster_InitConfig(SPIMaster_Config *config);

/* Opens a unit and one of its select lines for this app alone, in mode 0, highest bit first, 1 MHz; read(2) and
 * write(2) work on it, close with close(2). Returns a file descriptor, or -1 with errno EACCES (not in the manifest),
 * ENODEV, EBUSY, EINVAL or EFAULT. */
int SPIMaster_Open(SPI_InterfaceId interfaceId, SPI_ChipSelectId chipSelectId, const SPIMaster_Config *config);

/* Rounded down to what the chip does, at most 40 MHz. Returns 0, or -1 with errno EINVAL (under 20 kHz) or EBADF. */
int SPIMaster_SetBusSpeed(int fd, uint32_t speedInHz);
/* Return 0, or -1 with errno EINVAL or EBADF. */
int SPIMaster_SetMode(int fd, SPI_Mode_Type mode);
int SPIMaster_SetBitOrder(int fd, SPI_BitOrder_Type order);

/* Writes, then reads, under one select. Returns the sum of both, or -1 with errno EINVAL (more than 4096 bytes),
 * EFAULT or EBADF. */
ssize_t SPIMaster_WriteThenRead(int fd, const uint8_t *writeData, size_t lenWriteData, uint8_t *readData,
                                size_t lenReadData);

/* Returns 0, or -1 with errno EFAULT. */
int SPIMaster_InitTransfers(SPIMaster_Transfer *transfers, size_t transferCount);
/* Transfers one after the other under one select; each is a read or a write. Returns the bytes of all, or -1 with errno
 * EINVAL (both or neither of read and write, too many transfers, more than 4096 bytes in all), EFAULT or EBADF. */
ssize_t SPIMaster_TransferSequential(int fd, const SPIMaster_Transfer *transfers, size_t transferCount);

#ifdef __cplusplus
}
#endif

#include <applibs/spi.h>

#include "host.h"

#define SPI_CONFIG_V1 0x5a170001U
#define SPI_TRANSFER_V1 0x5a180001U

/* As the host reads them: four words. */
_Static_assert(sizeof(struct host_spi_transfer) == 16, "a transfer is four words");

enum { SETTING_SPEED = 0, SETTING_MODE = 1, SETTING_BIT_ORDER = 2 };

int SPIMaster_InitConfig(SPIMaster_Config *config)
{
    if (config == NULL) {
        errno = EFAULT;
        return -1;
    }
    *config = (SPIMaster_Config){.z__magicAndVersion = SPI_CONFIG_V1, .csPolarity = SPI_ChipSelectPolarity_ActiveLow};
    return 0;
}

int SPIMaster_Open(SPI_InterfaceId interfaceId, SPI_ChipSelectId chipSelectId, const SPIMaster_Config *config)
{
    if (config == NULL) {
        errno = EFAULT;
        return -1;
    }
    if (config->z__magicAndVersion != SPI_CONFIG_V1) {
        errno = EINVAL;
        return -1;
    }
    int fd = -1;
    int error = host_spi_open(interfaceId, chipSelectId, (int)config->csPolarity, &fd);
    return host_result(error, fd);
}

int SPIMaster_SetBusSpeed(int fd, uint32_t speedInHz)
{
    return host_result(host_spi_configure(fd, SETTING_SPEED, speedInHz), 0);
}

int SPIMaster_SetMode(int fd, SPI_Mode_Type mode)
{
    return host_result(host_spi_configure(fd, SETTING_MODE, mode), 0);
}

int SPIMaster_SetBitOrder(int fd, SPI_BitOrder_Type order)
{
    return host_result(host_spi_configure(fd, SETTING_BIT_ORDER, order), 0);
}

int SPIMaster_InitTransfers(SPIMaster_Transfer *transfers, size_t transferCount)
{
    if (transfers == NULL) {
        errno = EFAULT;
        return -1;
    }
    for (size_t i = 0; i < transferCount; i++) {
        transfers[i] = (SPIMaster_Transfer){.z__magicAndVersion = SPI_TRANSFER_V1, .flags = SPI_TransferFlags_None};
    }
    return 0;
}

static ssize_t transfer(int fd, const struct host_spi_transfer *transfers, size_t count)
{
    size_t moved = 0;
    int error = host_spi_transfer(fd, transfers, count, &moved);
    return host_result(error, (int)moved);
}

ssize_t SPIMaster_WriteThenRead(int fd, const uint8_t *writeData, size_t lenWriteData, uint8_t *readData,
                                size_t lenReadData)
{
    if ((writeData == NULL && lenWriteData > 0) || (readData == NULL && lenReadData > 0)) {
        errno = EFAULT;
        return -1;
    }
    const struct host_spi_transfer both[] = {
        {.flags = SPI_TransferFlags_Write, .writeData = writeData, .length = lenWriteData},
        {.flags = SPI_TransferFlags_Read, .readData = readData, .length = lenReadData}};
    return transfer(fd, both, 2);
}

ssize_t SPIMaster_TransferSequential(int fd, const SPIMaster_Transfer *transfers, size_t transferCount)
{
    if (transfers == NULL && transferCount > 0) {
        errno = EFAULT;
        return -1;
    }
    if (transferCount > SPI_MASTER_MAX_TRANSFERS) {
        errno = EINVAL;
        return -1;
    }
    static struct host_spi_transfer host[SPI_MASTER_MAX_TRANSFERS];
    for (size_t i = 0; i < transferCount; i++) {
        if (transfers[i].z__magicAndVersion != SPI_TRANSFER_V1) {
            errno = EINVAL;
            return -1;
        }
        host[i] = (struct host_spi_transfer){.flags = transfers[i].flags,
                                             .writeData = transfers[i].writeData,
                                             .readData = transfers[i].readData,
                                             .length = transfers[i].length};
    }
    return transfer(fd, host, transferCount);
}

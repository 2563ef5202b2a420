/* The layouts of SPIMaster_Config and SPIMaster_Transfer, version 1. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t SPI_ChipSelectPolarity_Type;
typedef uint32_t SPI_TransferFlags_Type;

/* Set up by SPIMaster_InitConfig. */
struct z__SPIMaster_Config_v1 {
    uint32_t z__magicAndVersion;
    SPI_ChipSelectPolarity_Type csPolarity;
};

/* Set up by SPIMaster_InitTransfers. */
struct z__SPIMaster_Transfer_v1 {
    uint32_t z__magicAndVersion;
    SPI_TransferFlags_Type flags;
    const uint8_t *writeData;
    uint8_t *readData;
    size_t length;
};

#ifdef __cplusplus
}
#endif

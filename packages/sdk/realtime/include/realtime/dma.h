/* DMA between memories: addresses must be in SYSRAM, which is what DMA reaches. */
#pragma once

#include "core.h"

/* Channels of the peripherals (ISU n: I2C and SPI 2n and 2n+1; ISU n: UART 13+2n and 14+2n; ADC 29). */
#define DMA_CHANNELS 30u

/* Copies words; `handler` is called at the end, or is null. False: a misaligned or unreachable address, or no channel. */
bool dma_copy(unsigned channel, void *to, const void *from, size_t words, interrupt_handler handler);
/* Words that are still to go. */
uint32_t dma_remaining(unsigned channel);

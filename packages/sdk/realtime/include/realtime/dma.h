/* DMA between memories: addresses must be in SYSRAM, which is what DMA reaches. */
#pragma once

#include "core.h"

/* Copies words by channel 12; `handler` is called at the end, or is null. False: what it does not reach, or none. */
bool dma_copy(void *to, const void *from, size_t words, interrupt_handler handler);
/* Words that are still to go. */
uint32_t dma_remaining(void);

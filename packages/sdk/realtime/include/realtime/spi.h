/* SPI master of an ISU, with select lines A (0) and B (1). */
#pragma once

#include "core.h"

/* At most this many bytes go in one selection each way. */
#define SPI_BURST 16u

/* `mode` is 0 to 3: bit 1 CPOL, bit 0 CPHA. */
void spi_open(unsigned isu, uint32_t hertz, unsigned mode);
/* Exchanges up to SPI_BURST bytes under one select; `out` or `in` may be null. False: too many bytes. */
bool spi_exchange(unsigned isu, unsigned select, const void *out, void *in, size_t count);

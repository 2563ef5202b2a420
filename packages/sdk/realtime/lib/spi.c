#include <realtime/spi.h>

#define SPI_CLOCK_HZ 79040000u

static uint32_t modes[6];

void spi_open(unsigned isu, uint32_t hertz, unsigned mode) {
  uint32_t divider = SPI_CLOCK_HZ / hertz;
  divider = divider < 2 ? 0 : divider - 2 > 0xFFF ? 0xFFF : divider - 2;
  REG(ISU(isu), 0) |= 1u << 0;
  modes[isu] = SPI_SMMR_DIVIDER(divider) | SPI_SMMR_MORE_BUF | SPI_SMMR_FULL_DUPLEX |
               ((mode & 2u) != 0 ? SPI_SMMR_CPOL : 0) | ((mode & 1u) != 0 ? SPI_SMMR_CPHA : 0);
}

bool spi_exchange(unsigned isu, unsigned select, const void *out, void *in, size_t count) {
  uint32_t base = ISU_SPI(isu);
  const uint8_t *from = out;
  uint8_t *to = in;
  if (count == 0 || count > SPI_BURST || select > 1) return false;
  for (uint32_t word = 0; word < (count + 3) / 4; word++) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4 && word * 4 + i < count; i++)
      value |= (uint32_t)(from == 0 ? 0 : from[word * 4 + i]) << (8 * i);
    REG(base, SPI_SDOR(word)) = value;
  }
  uint32_t bits = (uint32_t)count * 8;
  REG(base, SPI_SMMR) = modes[isu] | SPI_SMMR_SELECT(select);
  REG(base, SPI_SMBCR) = bits | (bits << 12);
  REG(base, SPI_STCSR) = SPI_STCSR_START;
  while ((REG(base, SPI_STCSR) & SPI_STCSR_BUSY) != 0) continue;
  (void)REG(base, SPI_SCSR);
  for (size_t i = 0; to != 0 && i < count; i++) to[i] = (uint8_t)(REG(base, SPI_SDIR(i / 4)) >> (8 * (i % 4)));
  return true;
}

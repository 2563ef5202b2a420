#include <realtime/i2c.h>

#define CRYSTAL_HZ 26000000u

void i2c_open(unsigned isu, uint32_t hertz) {
  uint32_t base = ISU_I2C(isu);
  REG(ISU(isu), 0) |= (1u << 0) | (1u << 8);
  /* A bit has four phases; each register holds the lengths of four, less one. */
  uint32_t phase = CRYSTAL_HZ / hertz / 4 - 1;
  uint32_t phases = phase * 0x01010101u;
  REG(base, I2C_PHASE0) = phases;
  REG(base, I2C_PHASE1) = phases;
  REG(base, I2C_CON0) = I2C_CON0_MASTER | I2C_CON0_GMODE;
}

enum i2c_result i2c_transfer(unsigned isu, uint8_t address, const void *out, size_t out_count, void *in,
                             size_t in_count) {
  uint32_t base = ISU_I2C(isu);
  const uint8_t *from = out;
  uint8_t *to = in;
  if (out_count + in_count == 0 || out_count > 0xFFFF || in_count > 0xFFFF || address > 0x7F) return I2C_INVALID;
  if ((REG(base, I2C_STATUS) & I2C_STATUS_READY) == 0) return I2C_BUSY;
  uint32_t packets = 0, reads = 0;
  if (out_count > 0) REG(base, I2C_COUNT(packets)) = (uint32_t)out_count, packets++;
  if (in_count > 0) REG(base, I2C_COUNT(packets)) = (uint32_t)in_count, reads = 1u << packets, packets++;
  REG(base, I2C_FIFO_CLEAR) = 3;
  REG(base, I2C_SLAVE_ID) = address;
  REG(base, I2C_PACK_CON0) = reads | ((packets - 1) << 4);
  REG(base, I2C_INT_CTRL) = I2C_INT_CTRL_STATUS;
  size_t sent = 0, got = 0;
  while (sent < out_count && (REG(base, I2C_FIFO_STATUS) & I2C_FIFO_STATUS_TX_FULL) == 0)
    REG(base, I2C_FIFO_DATA) = from[sent++];
  REG(base, I2C_CON0) = I2C_CON0_MASTER | I2C_CON0_GMODE | I2C_CON0_START;
  /* The FIFOs are eight deep: the bus waits for whoever is late. */
  while ((REG(base, I2C_INT_CTRL) & I2C_INT_CTRL_STATUS) == 0) {
    uint32_t status = REG(base, I2C_FIFO_STATUS);
    if (sent < out_count && (status & I2C_FIFO_STATUS_TX_FULL) == 0) REG(base, I2C_FIFO_DATA) = from[sent++];
    if (got < in_count && (status & I2C_FIFO_STATUS_RX_EMPTY) == 0) to[got++] = (uint8_t)REG(base, I2C_FIFO_DATA);
  }
  uint32_t answers = REG(base, I2C_ACK_VAL);
  uint32_t status = REG(base, I2C_STATUS);
  while (got < in_count && (REG(base, I2C_FIFO_STATUS) & I2C_FIFO_STATUS_RX_EMPTY) == 0)
    to[got++] = (uint8_t)REG(base, I2C_FIFO_DATA);
  REG(base, I2C_INT_CTRL) = I2C_INT_CTRL_STATUS;
  if ((status & I2C_STATUS_LOST) != 0) {
    REG(base, I2C_STATUS) = I2C_STATUS_LOST;
    return I2C_ARBITRATION_LOST;
  }
  return answers == 0 ? I2C_OK : I2C_NO_ANSWER;
}

/* Transfers longer than the FIFOs, and what each driver refuses. */
#include <realtime/gpio.h>
#include <realtime/i2c.h>
#include <realtime/pwm.h>
#include <realtime/spi.h>
#include <stdio.h>

static void try_i2c(void) {
  uint8_t out[12] = {0x10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, in[11] = {0};
  i2c_open(2, 400000);
  printf("write %d", i2c_transfer(2, 0x50, out, sizeof out, 0, 0));
  printf(" read %d", i2c_transfer(2, 0x50, out, 1, in, sizeof in));
  printf(" %u %u", in[0], in[10]);
  printf(" nobody %d", i2c_transfer(2, 0x51, out, 1, in, 1));
  printf(" nothing %d\n", i2c_transfer(2, 0x50, out, 0, in, 0));
}

static void try_spi(void) {
  uint8_t out[SPI_BURST], in[SPI_BURST] = {0};
  for (uint8_t i = 0; i < sizeof out; i++) out[i] = i;
  spi_open(1, 4000000, 3);
  printf("exchange %d", spi_exchange(1, 0, out, in, sizeof out));
  printf(" %02x %02x", in[0], in[SPI_BURST - 1]);
  printf(" one %d %02x", spi_exchange(1, 0, out + 9, in, 1), in[0]);
  printf(" too many %d\n", spi_exchange(1, 0, out, in, SPI_BURST + 1));
}

int main(void) {
  printf("pins %d %d %d %d\n", gpio_output(8, true), gpio_input(24, GPIO_PULL_UP), gpio_output(99, true),
         gpio_on_edge(24, GPIO_EDGE_RISING, 0, 0));
  try_i2c();
  try_spi();
  bool fine = pwm_set(0, 1, 1000000, 250000), other = pwm_set(0, 2, 30000000, 1000000);
  printf("pwm %d %d %d %d\n", fine, other, pwm_set(2, 2, 30000000, 1000000), pwm_set(0, 4, 1, 1));
  for (;;) core_sleep();
}

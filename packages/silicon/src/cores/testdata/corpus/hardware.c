/* Parts on every kind of bus, an interrupt of a button, and a wave on a pin. */
#include <realtime/adc.h>
#include <realtime/gpio.h>
#include <realtime/gpt.h>
#include <realtime/i2c.h>
#include <realtime/pwm.h>
#include <realtime/spi.h>
#include <realtime/uart.h>
#include <stdio.h>

static volatile unsigned presses;

static void on_button(void) { presses++; }

static void read_thermometer(void) {
  uint8_t pointer = 0, degrees[2];
  enum i2c_result result = i2c_transfer(1, 0x48, &pointer, 1, degrees, 2);
  printf("thermometer %d: %d\n", result, (int8_t)degrees[0]);
  printf("nobody %d\n", i2c_transfer(1, 0x20, &pointer, 1, NULL, 0));
}

static void read_accelerometer(void) {
  /* WHO_AM_I, to be read. */
  const uint8_t out[2] = {0x8F, 0};
  uint8_t in[2] = {0, 0};
  bool is_done = spi_exchange(2, 0, out, in, 2);
  printf("accelerometer %d: %02x\n", is_done, in[1]);
}

static void echo(void) {
  uint8_t in[5] = {0};
  size_t count = 0;
  uart_open(ISU_UART(0), &UART_115200);
  uart_write(ISU_UART(0), "wire", 4);
  uart_flush(ISU_UART(0));
  for (unsigned tries = 0; count < 4 && tries < 100000; tries++)
    count += uart_read(ISU_UART(0), in + count, 4 - count);
  printf("loop %u: %s\n", (unsigned)count, (const char *)in);
}

int main(void) {
  i2c_open(1, 400000);
  spi_open(2, 4000000, 0);
  adc_open();
  read_thermometer();
  read_accelerometer();
  echo();
  printf("voltage %d none %d\n", (int)adc_read(2), (int)adc_read(8));
  printf("wave %d\n", pwm_set(1, 2, 1000000, 250000));
  gpio_input(12, GPIO_PULL_UP);
  gpio_on_edge(12, GPIO_EDGE_FALLING, 15, on_button);
  for (unsigned seen = 0;;) {
    core_sleep();
    if (presses != seen) printf("pressed %u\n", seen = presses);
  }
}

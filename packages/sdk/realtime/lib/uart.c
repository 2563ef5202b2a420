#include <realtime/uart.h>

#define CRYSTAL_HZ 26000000u

const struct uart_settings UART_115200 = {.baud = 115200, .data_bits = 8, .stop_bits = 1, .parity = UART_PARITY_NONE};

/* The debug UART's, then those of ISU 0 to 5. */
static interrupt_handler handlers[7];

static bool is_debug(uint32_t uart) { return uart == UART_DEBUG; }
static uint32_t index_of(uint32_t uart) { return is_debug(uart) ? 0 : 1 + ((uart - ISU_UART(0)) >> 16); }
static uint32_t line_of(uint32_t index) { return index == 0 ? LINE_UART_DEBUG : LINE_UART0 + 4 * (index - 1); }

static void on_interrupt(void) {
  uint32_t line = core_exception() - 16;
  uint32_t index = line == LINE_UART_DEBUG ? 0 : 1 + (line - LINE_UART0) / 4;
  uint32_t uart = index == 0 ? UART_DEBUG : ISU_UART(index - 1);
  /* What came for the transmitter has ended a sleep in uart_write: there is nothing else to do. */
  if (handlers[index] != 0 && (REG(uart, UART_LSR) & UART_LSR_DR) != 0) handlers[index]();
}

void uart_open(uint32_t uart, const struct uart_settings *settings) {
  /* An ISU's word 0 lets its UART out of reset and gives it a clock. */
  if (!is_debug(uart)) REG(uart - 0x500u, 0) |= (1u << 0) | (3u << 13);
  uint32_t divisor = CRYSTAL_HZ / (settings->baud * 256u) + 1;
  uint32_t samples = (CRYSTAL_HZ + divisor * settings->baud / 2) / (divisor * settings->baud);
  REG(uart, UART_LCR) = UART_LCR_DLAB;
  REG(uart, UART_DLL) = divisor & 0xFFu;
  REG(uart, UART_DLM) = divisor >> 8;
  REG(uart, UART_LCR) = (settings->data_bits - 5u) | (settings->stop_bits == 2 ? 1u << 2 : 0u) |
                        ((uint32_t)settings->parity << 3);
  REG(uart, UART_HIGHSPEED) = 3;
  REG(uart, UART_SAMPLE_COUNT) = samples - 1;
  REG(uart, UART_SAMPLE_POINT) = samples / 2 - 2;
  REG(uart, UART_FRACDIV_L) = 0;
  REG(uart, UART_FRACDIV_M) = 0;
  REG(uart, UART_FCR) = UART_FCR_ENABLE | UART_FCR_CLEAR;
  interrupt_attach(line_of(index_of(uart)), on_interrupt, PRIORITY_NORMAL);
}

/* Sleeps until the transmitter asks for more; where no interrupt could end that, it only looks. */
static void wait_for_room(uint32_t uart) {
  uint32_t basepri;
  __asm volatile("mrs %0, basepri" : "=r"(basepri));
  uint32_t mask = core_mask();
  if (mask == 0 && basepri == 0 && core_exception() == 0) {
    REG(uart, UART_IER) |= UART_IER_THRE;
    if ((REG(uart, UART_LSR) & UART_LSR_THRE) == 0) core_sleep();
    REG(uart, UART_IER) &= ~UART_IER_THRE;
  }
  core_unmask(mask);
}

void uart_write(uint32_t uart, const void *bytes, size_t count) {
  const uint8_t *from = bytes;
  for (; count > 0; count--) {
    while ((REG(uart, UART_LSR) & UART_LSR_THRE) == 0) wait_for_room(uart);
    REG(uart, UART_THR) = *from++;
  }
}

size_t uart_read(uint32_t uart, void *bytes, size_t count) {
  uint8_t *to = bytes;
  size_t got = 0;
  while (got < count && (REG(uart, UART_LSR) & UART_LSR_DR) != 0) to[got++] = (uint8_t)REG(uart, UART_RBR);
  return got;
}

void uart_flush(uint32_t uart) {
  while ((REG(uart, UART_LSR) & UART_LSR_TEMT) == 0) continue;
}

void uart_on_receive(uint32_t uart, interrupt_handler handler) {
  handlers[index_of(uart)] = handler;
  REG(uart, UART_IER) |= UART_IER_RX;
}

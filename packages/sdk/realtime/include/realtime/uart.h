/* UARTs: the debug one of the core (`UART_DEBUG`) and those of the ISUs (`ISU_UART(n)`). */
#pragma once

#include "core.h"

enum uart_parity { UART_PARITY_NONE = 0, UART_PARITY_ODD = 1, UART_PARITY_EVEN = 3 };

struct uart_settings {
  uint32_t baud;
  /* 5 to 8. */
  uint8_t data_bits;
  /* 1 or 2. */
  uint8_t stop_bits;
  enum uart_parity parity;
};

/* 115200 baud, 8 bits, no parity, one stop bit. */
extern const struct uart_settings UART_115200;

void uart_open(uint32_t uart, const struct uart_settings *settings);
/* Waits until all bytes are in the transmitter; the core sleeps meanwhile, where it may. */
void uart_write(uint32_t uart, const void *bytes, size_t count);
/* What has arrived, at most `count`; waits for nothing. Answers the number of bytes. */
size_t uart_read(uint32_t uart, void *bytes, size_t count);
/* Waits until the last byte is on the wire. */
void uart_flush(uint32_t uart);
/* After uart_open: calls `handler` where bytes have arrived; it must read them. */
void uart_on_receive(uint32_t uart, interrupt_handler handler);

/* Gives back what arrives at the debug UART, in capitals; a line at a time from the interrupt to the program. */
#include <realtime/uart.h>
#include <stdio.h>

static volatile char line[80];
static volatile unsigned length;
static volatile bool is_whole;

static void on_receive(void) {
  uint8_t bytes[16];
  size_t count = uart_read(UART_DEBUG, bytes, sizeof bytes);
  for (size_t i = 0; i < count && !is_whole; i++) {
    if (bytes[i] == '\n' || length == sizeof line - 1) is_whole = true;
    else line[length++] = (char)(bytes[i] >= 'a' && bytes[i] <= 'z' ? bytes[i] - 32 : bytes[i]);
  }
}

int main(void) {
  printf("ready\n");
  uart_on_receive(UART_DEBUG, on_receive);
  for (;;) {
    while (!is_whole) core_sleep();
    line[length] = 0;
    printf("%s (%u)\n", (const char *)line, length);
    length = 0;
    is_whole = false;
  }
}

/* Feeds the watchdog for a second, then no more; started again, asks for a reset; started again, is done. */
#include <realtime/gpt.h>
#include <realtime/uart.h>
#include <realtime/watchdog.h>
#include <stdio.h>

KEPT static unsigned runs;
static int initialised = 42;
static int zero;

int main(void) {
  enum watchdog_cause cause = watchdog_cause();
  runs++;
  printf("run %u cause %d initialised %d zero %d\n", runs, cause, initialised, zero);
  initialised = 7;
  zero = 7;
  if (cause == WATCHDOG_NOT_FED) {
    uart_flush(UART_DEBUG);
    watchdog_reset();
  }
  if (cause == WATCHDOG_RESET) printf("done\n");
  else {
    watchdog_start(250);
    gpt_start(0, GPT_HZ / 10, true, watchdog_feed);
    while (gpt_ticks() < GPT_HZ) core_sleep();
    gpt_stop(0);
    printf("no more food\n");
  }
  for (;;) core_sleep();
}

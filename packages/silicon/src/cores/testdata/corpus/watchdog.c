/* Feeds the watchdog for a second, then no more; starts again and says so. Kept and initialised values over it. */
#include <realtime/gpt.h>
#include <realtime/watchdog.h>
#include <stdio.h>

KEPT static unsigned runs;
static int initialised = 42;
static int zero;

int main(void) {
  runs++;
  printf("run %u bitten %d initialised %d zero %d\n", runs, watchdog_has_bitten(), initialised, zero);
  initialised = 7;
  zero = 7;
  if (runs == 3) {
    watchdog_stop();
    printf("done\n");
    for (;;) core_sleep();
  }
  watchdog_start(250);
  gpt_start(0, GPT_HZ / 10, true, watchdog_feed);
  while (gpt_ticks() < GPT_HZ) core_sleep();
  gpt_stop(0);
  printf("no more food\n");
  if (runs == 2) watchdog_reset();
  for (;;) core_sleep();
}

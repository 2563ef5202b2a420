/* All timers at once: who comes when, in microseconds. */
#include <realtime/gpt.h>
#include <stdio.h>

static volatile struct {
  char who;
  uint32_t at;
} log[16];
static volatile unsigned count;

static void note(char who) {
  log[count].who = who;
  log[count].at = gpt_microseconds();
  count++;
}

static void on_first(void) { note('0'); }
static void on_second(void) { note('1'); }
static void on_alarm(void) { note('3'); }

int main(void) {
  core_clock(CLOCK_CRYSTAL);
  (void)gpt_microseconds();
  gpt_start(0, 328, true, on_first);
  gpt_start(1, 1000, false, on_second);
  gpt_alarm(15000, on_alarm);
  while (count < 6) core_sleep();
  gpt_stop(0);
  for (unsigned i = 0; i < 6; i++) printf("timer %c after %u ms\n", log[i].who, (unsigned)(log[i].at + 500) / 1000);
  uint32_t before = gpt_ticks(), start = gpt_microseconds();
  gpt_wait_microseconds(1000);
  printf("%u ticks in %u us\n", (unsigned)(gpt_ticks() - before), (unsigned)(gpt_microseconds() - start) / 10 * 10);
  for (;;) core_sleep();
}

/* How much of its time a core works that wakes a thousand times a second to look at one number. */
#include <realtime/gpt.h>
#include <stdio.h>

static volatile unsigned wakes;
static void on_timer(void) { wakes++; }

int main(void) {
  uint32_t start = gpt_microseconds();
  gpt_start(0, GPT_HZ / 1024, true, on_timer);
  while (wakes < 1024) core_sleep();
  gpt_stop(0);
  printf("%u wakes in %u ms\n", wakes, (unsigned)(gpt_microseconds() - start) / 1000);
  for (;;) core_sleep();
}

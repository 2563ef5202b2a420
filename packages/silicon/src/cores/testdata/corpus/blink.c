/* An LED on pin 8, turned by a timer's interrupt ten times; the core sleeps in between. */
#include <realtime/gpio.h>
#include <realtime/gpt.h>
#include <stdio.h>

static volatile unsigned turns;

static void on_timer(void) {
  turns++;
  gpio_write(8, turns % 2 != 0);
}

int main(void) {
  gpio_output(8, false);
  gpt_start(0, GPT_HZ / 4, true, on_timer);
  while (turns < 10) core_sleep();
  gpt_stop(0);
  printf("turned %u times\n", turns);
  for (;;) core_sleep();
}

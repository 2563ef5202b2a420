/* Software timers: once, again and again without drift, stopped, started anew, and what comes too late. */
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(timer_stack, 1024);
RTOS_STACK(main_stack, 1024);
static struct task main_task;
static struct timer once, often, stopped, slow;
static unsigned rounds;
static uint64_t first, last;

static void on_once(void *context) {
  printf("%s at %u ms\n", (const char *)context, (unsigned)rtos_milliseconds());
}

static void on_often(void *context) {
  (void)context;
  last = rtos_ticks();
  if (rounds++ == 0) first = last;
}

static void on_slow(void *context) {
  (void)context;
  task_sleep(35);
}

static void run(void *context) {
  (void)context;
  timer_init(&once, on_once, "once");
  timer_init(&often, on_often, 0);
  timer_init(&stopped, on_once, "never");
  timer_init(&slow, on_slow, 0);
  timer_start(&once, 25, 0);
  timer_start(&stopped, 30, 10);
  task_sleep(10);
  timer_stop(&stopped);
  timer_start(&once, 40, 0);
  task_sleep(50);
  timer_start(&often, 7, 7);
  task_sleep(7100);
  timer_stop(&often);
  uint32_t per_round = (uint32_t)((last - first) / (rounds - 1));
  printf("%u rounds of %u ticks\n", rounds, (unsigned)per_round);
  timer_start(&slow, 10, 10);
  task_sleep(200);
  timer_stop(&slow);
  printf("missed some: %d\n", slow.missed > 5);
}

int main(void) {
  timers_start(8, timer_stack, sizeof timer_stack);
  task_create(&main_task, "main", run, 0, 4, main_stack, sizeof main_stack);
  rtos_start();
}

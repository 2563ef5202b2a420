/* An hour in which next to nothing happens: one task that looks up every minute. */
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(stack, 1024);
static struct task task;

static void run(void *context) {
  (void)context;
  for (unsigned minute = 1; minute <= 60; minute++) task_sleep(60000);
  printf("an hour: %u s\n", (unsigned)(rtos_milliseconds() / 1000));
}

int main(void) {
  task_create(&task, "task", run, 0, 1, stack, sizeof stack);
  rtos_start();
}

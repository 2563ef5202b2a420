/* A task whose stack is too small: the kernel sees it at the next switch and ends the program. */
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(below, 1024);
RTOS_STACK(stack, 512);
static struct task task;

static unsigned __attribute__((noinline)) descend(unsigned depth) {
  volatile uint32_t room[16];
  for (unsigned i = 0; i < 16; i++) room[i] = depth;
  if (depth > 0) return descend(depth - 1) + room[0];
  task_sleep(1);
  return room[0];
}

static void run(void *context) {
  (void)context;
  printf("down\n");
  printf("up %u\n", descend(9));
}

int main(void) {
  below[0] = 1;
#ifdef WITH_GUARD
  stack_guard();
#endif
  task_create(&task, "too small", run, 0, 1, stack, sizeof stack);
  rtos_start();
}

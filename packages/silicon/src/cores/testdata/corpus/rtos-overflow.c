/*
 * A task whose stack is too small: the kernel sees it at the next wait and ends the program. With the letter g from the
 * debug UART the memory protection unit sees it at the first store that goes too far.
 */
#include <realtime/rtos.h>
#include <realtime/uart.h>
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
  printf("up %u\n", descend(9));
}

static volatile uint8_t choice;
static void on_receive(void) { uart_read(UART_DEBUG, (void *)(uintptr_t)&choice, 1); }

int main(void) {
  printf("guard?\n");
  uart_on_receive(UART_DEBUG, on_receive);
  while (choice == 0) core_sleep();
  below[0] = 1;
  if (choice == 'g') stack_guard();
  task_create(&task, "too small", run, 0, 1, stack, sizeof stack);
  rtos_start();
}

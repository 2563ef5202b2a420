/* Priority inversion, as it is in every book, and that it does not happen; chains; time that runs out. */
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(low_stack, 1024);
RTOS_STACK(middle_stack, 1024);
RTOS_STACK(high_stack, 1024);
RTOS_STACK(other_stack, 1024);
static struct task low, middle, high, other;
static struct mutex bus, second;
static volatile unsigned middle_work;

/* Two instructions a round. */
static void work(uint32_t milliseconds) {
  uint32_t rounds = milliseconds * (CORE_CRYSTAL_HZ / 2000);
  __asm volatile("1: subs %0, #1\n\tbne 1b" : "+r"(rounds)::"cc");
}

static void run_low(void *context) {
  (void)context;
  mutex_lock(&bus, RTOS_FOREVER);
  mutex_lock(&bus, RTOS_FOREVER);
  printf("low has the bus\n");
  work(30);
  printf("low is at %u\n", (unsigned)task_priority(&low));
  mutex_unlock(&bus);
  printf("once is not enough: %u\n", (unsigned)task_priority(&low));
  mutex_unlock(&bus);
  printf("low is back at %u\n", (unsigned)task_priority(&low));
}

static void run_middle(void *context) {
  (void)context;
  task_sleep(10);
  for (unsigned i = 0; i < 20; i++, middle_work++) work(5);
  printf("middle is done\n");
  printf("not its owner: %d\n", mutex_unlock(&bus));
}

static void run_high(void *context) {
  (void)context;
  task_sleep(5);
  printf("not now: %d\n", mutex_lock(&bus, 0));
  printf("not in time: %d\n", mutex_lock(&bus, 10));
  printf("low without a waiter is at %u\n", (unsigned)task_priority(&low));
  mutex_lock(&second, RTOS_FOREVER);
  mutex_lock(&bus, RTOS_FOREVER);
  printf("high has the bus at %u ms, middle worked %u times\n", (unsigned)rtos_milliseconds() / 10 * 10, middle_work);
  mutex_unlock(&bus);
  mutex_unlock(&second);
}

/* Waits for what high holds, while high waits for low: low inherits through both. */
static void run_other(void *context) {
  (void)context;
  task_sleep(20);
  mutex_lock(&second, RTOS_FOREVER);
  printf("other has the second\n");
  mutex_unlock(&second);
}

int main(void) {
  core_clock(CLOCK_CRYSTAL);
  mutex_init(&bus);
  mutex_init(&second);
  task_create(&low, "low", run_low, 0, 1, low_stack, sizeof low_stack);
  task_create(&middle, "middle", run_middle, 0, 5, middle_stack, sizeof middle_stack);
  task_create(&high, "high", run_high, 0, 9, high_stack, sizeof high_stack);
  task_create(&other, "other", run_other, 0, 12, other_stack, sizeof other_stack);
  rtos_start();
}

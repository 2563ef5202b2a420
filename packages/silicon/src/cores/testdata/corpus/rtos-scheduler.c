/* Priorities, pre-emption, equal shares, sleeping, suspending, ending. */
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(low_stack, 1024);
RTOS_STACK(high_stack, 1024);
RTOS_STACK(first_stack, 1024);
RTOS_STACK(second_stack, 1024);
RTOS_STACK(judge_stack, 1024);
static struct task low, high, first, second, judge;
static volatile unsigned counts[2];
static volatile bool has_ended;

static void run_high(void *context) {
  printf("%s first\n", (const char *)context);
  task_suspend();
  printf("high resumed at %u\n", (unsigned)task_priority(task_self()));
  task_sleep(20);
  printf("high slept to %u ms\n", (unsigned)rtos_milliseconds());
  task_set_priority(task_self(), 0);
  printf("high is low\n");
  has_ended = true;
}

static void run_low(void *context) {
  (void)context;
  printf("low runs\n");
  task_resume(&high);
  printf("low again\n");
  task_resume(task_self());
  task_suspend();
  printf("no resume is lost\n");
}

static void count(void *context) {
  volatile unsigned *own = context;
  for (;;) (*own)++;
}

static void run_judge(void *context) {
  (void)context;
  task_sleep(60);
  printf("ended %d, stack left %d\n", has_ended, task_stack_left(&low) > 256);
  task_create(&first, "first", count, (void *)&counts[0], 3, first_stack, sizeof first_stack);
  task_create(&second, "second", count, (void *)&counts[1], 3, second_stack, sizeof second_stack);
  task_sleep(100);
  unsigned more = counts[0] > counts[1] ? counts[0] : counts[1];
  unsigned less = counts[0] > counts[1] ? counts[1] : counts[0];
  printf("equal shares %d\n", less > 0 && more - less < more / 4);
}

int main(void) {
  core_clock(CLOCK_CRYSTAL);
  task_create(&low, "low", run_low, 0, 1, low_stack, sizeof low_stack);
  task_create(&high, "high", run_high, "high", 5, high_stack, sizeof high_stack);
  task_create(&judge, "judge", run_judge, 0, 9, judge_stack, sizeof judge_stack);
  rtos_start();
}

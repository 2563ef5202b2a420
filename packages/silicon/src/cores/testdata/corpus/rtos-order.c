/* Who is served first: the most urgent, equals in the order in which they came; flags that were waited for are gone. */
#include <realtime/rtos.h>
#include <stdio.h>

#define WAITERS 4u

static struct task waiters[WAITERS], judge;
RTOS_STACK(stacks, WAITERS * 1024);
RTOS_STACK(judge_stack, 1024);
static struct semaphore semaphore;
static struct events events;
static char order[2 * WAITERS + 1];
static volatile unsigned length;

static void run(void *context) {
  semaphore_take(&semaphore, RTOS_FOREVER);
  order[length++] = (char)(uintptr_t)context;
  event_wait(&events, 1, EVENT_ANY, RTOS_FOREVER, 0);
  order[length++] = (char)((uintptr_t)context + 'A' - 'a');
}

static void run_judge(void *context) {
  (void)context;
  static const uint8_t priorities[WAITERS] = {2, 7, 4, 7};
  for (uint32_t i = 0; i < WAITERS; i++) {
    task_create(&waiters[i], "waiter", run, (void *)(uintptr_t)('a' + i), 12, stacks + i * 256, 1024);
    /* Each comes to its wait, and is then of another priority: it moves in the list. */
    task_sleep(1);
    task_set_priority(&waiters[i], priorities[i]);
  }
  for (uint32_t i = 0; i < WAITERS; i++) {
    semaphore_give(&semaphore);
    task_sleep(1);
  }
  event_set(&events, 1);
  task_sleep(1);
  printf("%s\n", order);
  printf("gone %d\n", event_wait(&events, 1, EVENT_ANY, 0, 0));
  task_sleep(40u * 3600u * 1000u);
  printf("after %u hours\n", (unsigned)(rtos_milliseconds() / 3600000));
}

int main(void) {
  semaphore_init(&semaphore, 0, WAITERS);
  event_init(&events);
  task_create(&judge, "judge", run_judge, 0, 9, judge_stack, sizeof judge_stack);
  rtos_start();
}

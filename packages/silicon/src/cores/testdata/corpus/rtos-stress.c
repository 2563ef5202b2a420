/*
 * Six tasks and an interrupt do anything to three mutexes, a queue, a semaphore and flags, by a fixed series of random
 * numbers; what must hold whatever they do is looked at all the time.
 */
#include <realtime/gpt.h>
#include <realtime/rtos.h>
#include <stdio.h>

#define TASKS 6u
#define ROUNDS 250u

static struct task tasks[TASKS], judge;
RTOS_STACK(stacks, TASKS * 1024);
RTOS_STACK(judge_stack, 1024);
static struct mutex mutexes[3];
/* Both are raised by whoever holds the mutex, with a wait in between. */
static volatile uint32_t before[3], after[3];
static struct queue queue;
static uint32_t storage[3];
static struct semaphore semaphore;
static struct events events;
static volatile uint32_t wrong, locked, sent, received, sent_sum, received_sum, given, taken, flagged, timeouts, done;

static uint32_t next(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 16;
}

static void add(volatile uint32_t *total, uint32_t value) {
  uint32_t state = rtos_lock();
  *total += value;
  rtos_unlock(state);
}

static void use_mutexes(uint32_t *random, uint32_t own) {
  uint32_t first = next(random) % 3, second = first + next(random) % (3 - first);
  if (mutex_lock(&mutexes[first], next(random) % 8) != RTOS_OK) {
    add(&timeouts, 1);
    return;
  }
  bool has_second = mutex_lock(&mutexes[second], next(random) % 4) == RTOS_OK;
  wrong += before[first] != after[first];
  before[first]++;
  /* Whoever holds something runs at no less than its own priority. */
  wrong += task_priority(task_self()) < own;
  if (next(random) % 2 == 0) task_sleep(next(random) % 3);
  after[first]++;
  if (has_second) wrong += mutex_unlock(&mutexes[second]) != RTOS_OK;
  wrong += mutex_unlock(&mutexes[first]) != RTOS_OK;
  add(&locked, 1);
}

static void run(void *context) {
  uint32_t number = (uint32_t)(uintptr_t)context, random = number * 7919u + 1u, own = 1 + number / 2;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint32_t item = next(&random), got = 0;
    switch (item % 5) {
      case 0:
      case 1:
        use_mutexes(&random, own);
        /* What was inherited is given back. */
        wrong += task_priority(task_self()) != own;
        break;
      case 2:
        if (queue_send(&queue, &item, next(&random) % 4) != RTOS_OK) add(&timeouts, 1);
        else {
          add(&sent, 1);
          add(&sent_sum, item);
        }
        break;
      case 3:
        if (queue_receive(&queue, &item, next(&random) % 4) != RTOS_OK) add(&timeouts, 1);
        else {
          add(&received, 1);
          add(&received_sum, item);
        }
        break;
      default:
        if (semaphore_take(&semaphore, next(&random) % 3) == RTOS_OK) add(&taken, 1);
        if (event_wait(&events, 1u << (item % 4), EVENT_ANY, next(&random) % 3, &got) == RTOS_OK) {
          wrong += got != 1u << (item % 4);
          add(&flagged, 1);
        }
    }
  }
  add(&done, 1);
}

static void on_timer(void) {
  static uint32_t random = 42;
  uint32_t item = next(&random);
  if (queue_send(&queue, &item, 0) == RTOS_OK) {
    sent++;
    sent_sum += item;
  }
  given += semaphore_give(&semaphore) == RTOS_OK;
  event_set(&events, 1u << (item % 4));
}

static void run_judge(void *context) {
  (void)context;
  while (done < TASKS) task_sleep(5);
  gpt_stop(0);
  uint32_t item;
  while (queue_receive(&queue, &item, 0) == RTOS_OK) {
    received++;
    received_sum += item;
  }
  while (semaphore_take(&semaphore, 0) == RTOS_OK) taken++;
  wrong += sent != received || sent_sum != received_sum || given != taken;
  for (unsigned i = 0; i < 3; i++) wrong += before[i] != after[i] || mutexes[i].owner != 0;
  printf("locked %u sent %u taken %u flagged %u timeouts %u\n", (unsigned)locked, (unsigned)sent, (unsigned)taken,
         (unsigned)flagged, (unsigned)timeouts);
  printf("wrong %u\n", (unsigned)wrong);
}

int main(void) {
  core_clock(CLOCK_CRYSTAL);
  queue_init(&queue, storage, sizeof *storage, 3);
  semaphore_init(&semaphore, 0, 5);
  event_init(&events);
  for (unsigned i = 0; i < 3; i++) mutex_init(&mutexes[i]);
  for (uint32_t i = 0; i < TASKS; i++)
    task_create(&tasks[i], "any", run, (void *)(uintptr_t)i, 1 + i / 2, stacks + i * 256, 1024);
  task_create(&judge, "judge", run_judge, 0, 9, judge_stack, sizeof judge_stack);
  gpt_start(0, 61, true, on_timer);
  rtos_start();
}

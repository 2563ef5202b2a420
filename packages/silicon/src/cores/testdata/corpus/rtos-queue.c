/* Queues: empty, full, timeouts, hand-over in order, and from an interrupt; semaphores and event flags. */
#include <realtime/gpt.h>
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(sender_stack, 1024);
RTOS_STACK(receiver_stack, 1024);
RTOS_STACK(waiter_stack, 1024);
static struct task sender, receiver, waiter;
static struct queue queue;
static uint32_t storage[2];
static struct semaphore semaphore;
static struct events events;
static volatile uint32_t interrupts;

static void run_sender(void *context) {
  (void)context;
  for (uint32_t i = 1; i <= 5; i++) {
    queue_send(&queue, &i, RTOS_FOREVER);
    printf("sent %u\n", (unsigned)i);
  }
  uint32_t more = 6;
  printf("full: %d, in time: %d\n", queue_send(&queue, &more, 0), queue_send(&queue, &more, 10));
}

static void on_timer(void) {
  uint32_t item = 100 + interrupts++;
  queue_send(&queue, &item, 0);
  if (interrupts == 3) gpt_stop(0);
  semaphore_give(&semaphore);
  event_set(&events, 1u << interrupts);
}

static void run_waiter(void *context) {
  (void)context;
  uint32_t got = 0;
  enum rtos_result result = event_wait(&events, 0x6, EVENT_ALL | EVENT_KEEP, 1000, &got);
  printf("all: %d %x\n", result, (unsigned)got);
  result = event_wait(&events, 0xA, EVENT_ANY, 0, &got);
  printf("any: %d %x\n", result, (unsigned)got);
  printf("cleared: %d\n", event_wait(&events, 0x2, EVENT_ANY, 10, 0));
}

static void run_receiver(void *context) {
  (void)context;
  uint32_t item = 0;
  printf("empty: %d, in time: %d\n", queue_receive(&queue, &item, 0), queue_receive(&queue, &item, 10));
  task_create(&sender, "sender", run_sender, 0, 6, sender_stack, sizeof sender_stack);
  printf("there are %u\n", (unsigned)queue_count(&queue));
  for (unsigned i = 0; i < 3; i++) {
    queue_receive(&queue, &item, RTOS_FOREVER);
    printf("received %u\n", (unsigned)item);
  }
  task_sleep(30);
  while (queue_receive(&queue, &item, 0) == RTOS_OK) printf("left %u\n", (unsigned)item);
  task_create(&waiter, "waiter", run_waiter, 0, 2, waiter_stack, sizeof waiter_stack);
  gpt_start(0, 100, true, on_timer);
  for (unsigned i = 0; i < 3; i++) {
    queue_receive(&queue, &item, RTOS_FOREVER);
    printf("from the interrupt %u\n", (unsigned)item);
  }
  unsigned taken = 0;
  while (semaphore_take(&semaphore, 5) == RTOS_OK) taken++;
  printf("semaphore %u, limit: %d %d %d\n", taken, semaphore_give(&semaphore), semaphore_give(&semaphore),
         semaphore_give(&semaphore));
}

int main(void) {
  queue_init(&queue, storage, sizeof *storage, 2);
  semaphore_init(&semaphore, 0, 2);
  event_init(&events);
  task_create(&receiver, "receiver", run_receiver, 0, 4, receiver_stack, sizeof receiver_stack);
  rtos_start();
}

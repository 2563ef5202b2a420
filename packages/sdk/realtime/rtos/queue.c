#include "kernel.h"

#include <string.h>

void queue_init(struct queue *queue, void *storage, uint32_t item_bytes, uint32_t capacity) {
  assert(item_bytes > 0 && capacity > 0);
  queue->storage = storage;
  queue->item_bytes = item_bytes;
  queue->capacity = capacity;
  queue->count = queue->first = 0;
  list_init(&queue->senders);
  list_init(&queue->receivers);
}

static void append(struct queue *queue, const void *item) {
  uint32_t at = queue->first + queue->count;
  if (at >= queue->capacity) at -= queue->capacity;
  memcpy(queue->storage + at * queue->item_bytes, item, queue->item_bytes);
  queue->count++;
}

enum rtos_result queue_send(struct queue *queue, const void *item, uint32_t timeout_ms) {
  uint32_t state = rtos_lock();
  struct task *receiver = first_waiter(&queue->receivers);
  enum rtos_result result = RTOS_OK;
  if (receiver != 0) {
    memcpy(receiver->transfer, item, queue->item_bytes);
    wake(receiver, RTOS_OK);
  } else if (queue->count < queue->capacity) append(queue, item);
  else if (timeout_ms == 0) result = RTOS_TIMEOUT;
  else {
    task_self()->transfer = (void *)(uintptr_t)item;
    return wait_in(&queue->senders, timeout_ms, state);
  }
  rtos_unlock(state);
  return result;
}

enum rtos_result queue_receive(struct queue *queue, void *item, uint32_t timeout_ms) {
  uint32_t state = rtos_lock();
  enum rtos_result result = RTOS_OK;
  if (queue->count > 0) {
    memcpy(item, queue->storage + queue->first * queue->item_bytes, queue->item_bytes);
    if (++queue->first == queue->capacity) queue->first = 0;
    queue->count--;
    struct task *sender = first_waiter(&queue->senders);
    if (sender != 0) {
      append(queue, sender->transfer);
      wake(sender, RTOS_OK);
    }
  } else if (timeout_ms == 0) result = RTOS_TIMEOUT;
  else {
    task_self()->transfer = item;
    return wait_in(&queue->receivers, timeout_ms, state);
  }
  rtos_unlock(state);
  return result;
}

uint32_t queue_count(const struct queue *queue) { return queue->count; }

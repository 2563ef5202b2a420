#include "kernel.h"

void semaphore_init(struct semaphore *semaphore, uint32_t count, uint32_t limit) {
  assert(count <= limit && limit > 0);
  semaphore->count = count;
  semaphore->limit = limit;
  list_init(&semaphore->waiters);
}

enum rtos_result semaphore_take(struct semaphore *semaphore, uint32_t timeout_ms) {
  uint32_t state = rtos_lock();
  if (semaphore->count == 0 && timeout_ms != 0) return wait_in(&semaphore->waiters, timeout_ms, state);
  enum rtos_result result = semaphore->count > 0 ? RTOS_OK : RTOS_TIMEOUT;
  if (result == RTOS_OK) semaphore->count--;
  rtos_unlock(state);
  return result;
}

enum rtos_result semaphore_give(struct semaphore *semaphore) {
  uint32_t state = rtos_lock();
  struct task *waiter = first_waiter(&semaphore->waiters);
  enum rtos_result result = RTOS_OK;
  if (waiter != 0) wake(waiter, RTOS_OK);
  else if (semaphore->count == semaphore->limit) result = RTOS_REFUSED;
  else semaphore->count++;
  rtos_unlock(state);
  return result;
}

#include "kernel.h"

void mutex_init(struct mutex *mutex) {
  mutex->owner = 0;
  mutex->next_held = 0;
  mutex->depth = 0;
  list_init(&mutex->waiters);
}

uint32_t inherited_priority(const struct task *task) {
  uint32_t priority = task->base_priority;
  for (struct mutex *mutex = task->held; mutex != 0; mutex = mutex->next_held) {
    struct task *first = first_waiter(&mutex->waiters);
    if (first != 0 && first->priority > priority) priority = first->priority;
  }
  return priority;
}

void pass_priority(struct mutex *mutex) {
  /* Along the chain of those who wait for one another, until nothing changes any more. */
  for (struct task *owner = mutex->owner; owner != 0; owner = owner->waits_for == 0 ? 0 : owner->waits_for->owner) {
    uint32_t priority = inherited_priority(owner);
    if (priority == owner->priority) return;
    set_running_priority(owner, priority);
  }
}

static void own(struct mutex *mutex, struct task *task) {
  mutex->owner = task;
  mutex->depth = 1;
  mutex->next_held = task->held;
  task->held = mutex;
}

enum rtos_result mutex_lock(struct mutex *mutex, uint32_t timeout_ms) {
  assert(core_exception() == 0);
  uint32_t state = rtos_lock();
  struct task *task = task_self();
  if (mutex->owner == 0 || mutex->owner == task) {
    if (mutex->owner == 0) own(mutex, task);
    else mutex->depth++;
    rtos_unlock(state);
    return RTOS_OK;
  }
  if (timeout_ms == 0) {
    rtos_unlock(state);
    return RTOS_TIMEOUT;
  }
  task->waits_for = mutex;
  return wait_in(&mutex->waiters, timeout_ms, state);
}

enum rtos_result mutex_unlock(struct mutex *mutex) {
  uint32_t state = rtos_lock();
  struct task *task = task_self();
  if (core_exception() != 0 || mutex->owner != task) {
    rtos_unlock(state);
    return RTOS_REFUSED;
  }
  if (--mutex->depth == 0) {
    struct mutex **at = &task->held;
    while (*at != mutex) at = &(*at)->next_held;
    *at = mutex->next_held;
    struct task *heir = first_waiter(&mutex->waiters);
    mutex->owner = 0;
    if (heir != 0) {
      own(mutex, heir);
      wake(heir, RTOS_OK);
    }
    set_running_priority(task, inherited_priority(task));
    schedule();
  }
  rtos_unlock(state);
  return RTOS_OK;
}

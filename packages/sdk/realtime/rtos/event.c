#include "kernel.h"

void event_init(struct events *events) {
  events->flags = 0;
  list_init(&events->waiters);
}

static bool suits(uint32_t flags, uint32_t wanted, bool all) {
  return all ? (flags & wanted) == wanted : (flags & wanted) != 0;
}

enum rtos_result event_wait(struct events *events, uint32_t wanted, uint32_t how, uint32_t timeout_ms, uint32_t *got) {
  assert(wanted != 0);
  uint32_t state = rtos_lock();
  enum rtos_result result = RTOS_OK;
  if (suits(events->flags, wanted, (how & EVENT_ALL) != 0)) {
    if (got != 0) *got = events->flags & wanted;
    if ((how & EVENT_KEEP) == 0) events->flags &= ~wanted;
    rtos_unlock(state);
    return result;
  }
  if (timeout_ms == 0) {
    rtos_unlock(state);
    return RTOS_TIMEOUT;
  }
  struct task *task = task_self();
  uint32_t there = 0;
  task->wanted = wanted;
  task->wants_all = (how & EVENT_ALL) != 0;
  task->keeps_events = (how & EVENT_KEEP) != 0;
  task->transfer = &there;
  result = wait_in(&events->waiters, timeout_ms, state);
  if (got != 0) *got = *(volatile uint32_t *)&there;
  return result;
}

void event_set(struct events *events, uint32_t flags) {
  uint32_t state = rtos_lock();
  events->flags |= flags;
  /* All that are served see the same flags, however many clear them. */
  uint32_t there = events->flags, cleared = 0;
  for (struct rtos_link *link = events->waiters.next; link != &events->waiters;) {
    struct task *task = task_of(link);
    link = link->next;
    if (!suits(there, task->wanted, task->wants_all)) continue;
    *(uint32_t *)task->transfer = there & task->wanted;
    if (!task->keeps_events) cleared |= task->wanted;
    wake(task, RTOS_OK);
  }
  events->flags &= ~cleared;
  rtos_unlock(state);
}

void event_clear(struct events *events, uint32_t flags) {
  uint32_t state = rtos_lock();
  events->flags &= ~flags;
  rtos_unlock(state);
}

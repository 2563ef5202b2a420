#include "kernel.h"

#include <realtime/gpt.h>

/* Timers whose callbacks are to run, in the order in which they came due. */
static struct timer *first_due;
static struct timer **last_due = &first_due;
static struct semaphore due;
static struct task timer_task;

static uint64_t ticks_of(uint32_t milliseconds) { return ((uint64_t)milliseconds * GPT_HZ + 999u) / 1000u; }

static void forget(struct timer *timer) {
  if (!timer->is_due) return;
  struct timer **at = &first_due;
  while (*at != timer) at = &(*at)->next_due;
  *at = timer->next_due;
  if (last_due == &timer->next_due) last_due = at;
  timer->is_due = false;
}

static void on_timer(struct rtos_timeout *timeout) {
  struct timer *timer = (struct timer *)(void *)timeout;
  /* From the deadline on, not from now: periods do not add up to a drift. */
  if (timer->period > 0) timeout_add(timeout, timeout->deadline + ticks_of(timer->period));
  if (timer->is_due) {
    timer->missed++;
    return;
  }
  timer->is_due = true;
  timer->next_due = 0;
  *last_due = timer;
  last_due = &timer->next_due;
  semaphore_give(&due);
}

static void run_callbacks(void *context) {
  (void)context;
  for (;;) {
    semaphore_take(&due, RTOS_FOREVER);
    uint32_t state = rtos_lock();
    struct timer *timer = first_due;
    if (timer != 0) forget(timer);
    rtos_unlock(state);
    if (timer != 0) timer->callback(timer->context);
  }
}

void timers_start(uint32_t priority, uint32_t *stack, size_t stack_bytes) {
  semaphore_init(&due, 0, UINT32_MAX);
  task_create(&timer_task, "timers", run_callbacks, 0, priority, stack, stack_bytes);
}

void timer_init(struct timer *timer, void (*callback)(void *context), void *context) {
  timer->callback = callback;
  timer->context = context;
  timer->period = timer->missed = 0;
  timer->is_due = false;
  timer->next_due = 0;
  timer->timeout.expire = on_timer;
  list_init(&timer->timeout.link);
}

void timer_start(struct timer *timer, uint32_t first_ms, uint32_t period_ms) {
  /* Without their task no callback would ever run. */
  assert(timer_task.stack != 0);
  uint32_t state = rtos_lock();
  forget(timer);
  timeout_cancel(&timer->timeout);
  timer->period = period_ms;
  timer->missed = 0;
  timeout_add(&timer->timeout, deadline_in(first_ms));
  rtos_unlock(state);
}

void timer_stop(struct timer *timer) {
  uint32_t state = rtos_lock();
  forget(timer);
  timeout_cancel(&timer->timeout);
  rtos_unlock(state);
}

/* What the parts of the kernel share. Functions marked "locked" are called between rtos_lock and rtos_unlock. */
#pragma once

#include <realtime/rtos.h>

/* Lists: a ring through a head that is no member. */
void list_init(struct rtos_link *head);
bool list_is_empty(const struct rtos_link *head);
void list_remove(struct rtos_link *link);

static inline struct task *task_of(struct rtos_link *link) {
  return (struct task *)(void *)((uint8_t *)link - offsetof(struct task, link));
}

/* The first, and so most urgent, waiter of a list; null: none. Locked. */
struct task *first_waiter(struct rtos_link *list);
/* Lets a task run again with a result. Locked. */
void wake(struct task *task, enum rtos_result result);
/* Asks for a switch where another task should run than the one that does. Locked. */
void schedule(void);
/* Stops the calling task in a list until woken or until the time is over; unlocks. Answers the result. */
enum rtos_result wait_in(struct rtos_link *list, uint32_t timeout_ms, uint32_t state);
/* Sets what a task runs at now, wherever it stands. Locked. */
void set_running_priority(struct task *task, uint32_t priority);
/* What it should run at: its own priority, or that of whom it holds up. Locked. */
uint32_t inherited_priority(const struct task *task);
/* A waiter has left a mutex's list, or come: its owner's priority follows, and so on. Locked. */
void pass_priority(struct mutex *mutex);

/* Adds to the ordered list of timeouts, or takes out. Locked. */
void timeout_add(struct rtos_timeout *timeout, uint64_t deadline);
void timeout_cancel(struct rtos_timeout *timeout);
/* When something is due that starts now and takes so long. */
uint64_t deadline_in(uint32_t milliseconds);

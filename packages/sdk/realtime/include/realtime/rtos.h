/*
 * A small pre-emptive kernel. All memory is the caller's: objects and stacks are static, nothing is allocated. The
 * runnable task of the highest priority runs; equals share the core in slices. There is no tick: the core sleeps until
 * the next timeout or interrupt. docs/rtos.md tells all of it.
 *
 * From interrupt handlers (of priority 2 to 7) these may be called: semaphore_give, event_set, event_clear,
 * queue_send and queue_receive with a timeout of 0, task_resume, timer_start and timer_stop, rtos_ticks.
 */
#pragma once

#include "core.h"
#include "failure.h"

/* Priorities of tasks: 0 is the lowest. Idle time has none. */
#define RTOS_PRIORITIES 32u
#define RTOS_FOREVER 0xFFFFFFFFu
/* Longest other timeout in milliseconds: about 49 days. */
#define RTOS_LONGEST 0xFFFFFFFEu
/* Smallest stack: a frame with floating-point registers, twice. */
#define RTOS_SMALLEST_STACK 512u

enum rtos_result {
  RTOS_OK = 0,
  /* The time is over, or with a timeout of 0: not now. */
  RTOS_TIMEOUT = 1,
  /* Unlocking what another task holds, giving beyond the limit. */
  RTOS_REFUSED = 2
};

/* Objects are declared here so that they can be static; their fields are the kernel's. */
struct rtos_link {
  struct rtos_link *next;
  struct rtos_link *previous;
};

struct rtos_timeout {
  struct rtos_link link;
  uint64_t deadline;
  void (*expire)(struct rtos_timeout *timeout);
};

struct task;

struct mutex {
  struct task *owner;
  struct rtos_link waiters;
  /* Next of those that the owner holds. */
  struct mutex *next_held;
  uint32_t depth;
};

struct task {
  /* First: the assembler reads it. */
  uint32_t *stack_pointer;
  struct rtos_link link;
  struct rtos_timeout timeout;
  /* What orders the list that the task waits in; null: it is ready or suspended. */
  struct rtos_link *waits_in;
  struct mutex *waits_for;
  struct mutex *held;
  uint32_t *stack;
  const char *name;
  void *transfer;
  uint32_t wanted;
  /* When others of its priority are to run. */
  uint64_t slice_end;
  enum rtos_result result;
  uint8_t priority;
  uint8_t base_priority;
  bool wants_all;
  bool keeps_events;
  bool is_ready;
  /* A resume that came before its suspend. */
  bool is_resumed;
};

struct semaphore {
  struct rtos_link waiters;
  uint32_t count;
  uint32_t limit;
};

struct events {
  struct rtos_link waiters;
  uint32_t flags;
};

struct queue {
  struct rtos_link senders;
  struct rtos_link receivers;
  uint8_t *storage;
  uint32_t item_bytes;
  uint32_t capacity;
  uint32_t count;
  uint32_t first;
};

struct timer {
  struct rtos_timeout timeout;
  struct timer *next_due;
  void (*callback)(void *context);
  void *context;
  uint32_t period;
  uint32_t missed;
  bool is_due;
};

/* A stack of so many bytes, aligned as the processor wants it. */
#define RTOS_STACK(name, bytes) static uint32_t name[(bytes) / 4] __attribute__((aligned(8)))

/* Starts the kernel with the tasks that were made; does not come back. `main` calls it. */
void rtos_start(void) __attribute__((noreturn));
/* Ticks of 1/32768 s since rtos_start. */
uint64_t rtos_ticks(void);
/* Milliseconds since rtos_start. */
uint32_t rtos_milliseconds(void);
/* Holds up interrupts of priority 2 to 7 and all switching; answers what to give rtos_unlock. May be nested. */
uint32_t rtos_lock(void);
void rtos_unlock(uint32_t state);

/* Makes a task, ready to run. It ends when `entry` returns. */
void task_create(struct task *task, const char *name, void (*entry)(void *context), void *context, uint32_t priority,
                 uint32_t *stack, size_t stack_bytes);
struct task *task_self(void);
void task_sleep(uint32_t milliseconds);
/* Lets others of the same priority run. */
void task_yield(void);
/* Stops the calling task until task_resume; a resume that came first is not lost. */
void task_suspend(void);
void task_resume(struct task *task);
void task_set_priority(struct task *task, uint32_t priority);
/* What it runs at now: its own, or that of a task that waits for a mutex it holds. */
uint32_t task_priority(const struct task *task);
/* Bytes of its stack that were never used. */
size_t task_stack_left(const struct task *task);

/* Whoever holds one runs at the highest priority of those that wait for it. One task may lock it again. */
void mutex_init(struct mutex *mutex);
enum rtos_result mutex_lock(struct mutex *mutex, uint32_t timeout_ms);
enum rtos_result mutex_unlock(struct mutex *mutex);

void semaphore_init(struct semaphore *semaphore, uint32_t count, uint32_t limit);
enum rtos_result semaphore_take(struct semaphore *semaphore, uint32_t timeout_ms);
enum rtos_result semaphore_give(struct semaphore *semaphore);

enum { EVENT_ANY = 0, EVENT_ALL = 1, EVENT_KEEP = 2 };
void event_init(struct events *events);
/* Waits for any or all of `wanted`, and clears them unless EVENT_KEEP; `got` (may be null) tells which there were. */
enum rtos_result event_wait(struct events *events, uint32_t wanted, uint32_t how, uint32_t timeout_ms, uint32_t *got);
void event_set(struct events *events, uint32_t flags);
void event_clear(struct events *events, uint32_t flags);

void queue_init(struct queue *queue, void *storage, uint32_t item_bytes, uint32_t capacity);
enum rtos_result queue_send(struct queue *queue, const void *item, uint32_t timeout_ms);
enum rtos_result queue_receive(struct queue *queue, void *item, uint32_t timeout_ms);
uint32_t queue_count(const struct queue *queue);

/* Callbacks run one after another in a task of their own, `timers_start` says of which priority. */
void timers_start(uint32_t priority, uint32_t *stack, size_t stack_bytes);
void timer_init(struct timer *timer, void (*callback)(void *context), void *context);
/* First after `first_ms`, then every `period_ms`, or with 0 never again. */
void timer_start(struct timer *timer, uint32_t first_ms, uint32_t period_ms);
void timer_stop(struct timer *timer);

/* The scheduler: which task runs, and until when nothing happens by itself. */
#include "kernel.h"

#include <realtime/gpt.h>
#include <string.h>

/* Interrupts of this priority and less urgent ones may call the kernel, and are held up by rtos_lock. */
#define KERNEL_PRIORITY 2u
#define ALARM_TIMER 1u
/* Equals share the core in slices of 10 ms. */
#define SLICE_TICKS (GPT_HZ / 100u)
/* The alarm goes off at least every 9 hours, so that the clock's going round is seen. */
#define LONGEST_ALARM 0x40000000u
#define NEVER UINT64_MAX
/* What a stack's words hold until they are used; the last one must. */
#define UNUSED 0x5AFE57ACu
#define IDLE_STACK 512u
/* EXC_RETURN to a task that has not used the floating-point unit, and its first xPSR. */
#define RETURN_TO_TASK 0xFFFFFFFDu
#define THUMB 0x01000000u

/* The assembler below reads these. */
struct task *rtos_current;
uint32_t *rtos_switch(uint32_t *stack_pointer);

static struct rtos_link ready[RTOS_PRIORITIES + 1];
/* Bit n: somebody of priority n is ready. */
static uint32_t ready_map;
static struct rtos_link timeouts;
static uint64_t slice_end = NEVER;
static uint64_t alarm_at = NEVER;
static bool is_running;
/* While timeouts expire the alarm is not set for each: once at the end is enough. */
static bool is_expiring;
/* What the clock said at rtos_start. */
static uint64_t origin;
static struct rtos_link sleepers = {&sleepers, &sleepers};
static struct rtos_link suspended = {&suspended, &suspended};
static struct task idle_task;
/* The running task's, below all code: where no stack that grows too far comes first. */
static struct {
  const uint32_t *stack;
  const char *name;
} running __attribute__((section(".failure.running")));
RTOS_STACK(idle_stack, IDLE_STACK);

uint32_t rtos_lock(void) {
  uint32_t state;
  __asm volatile("mrs %0, basepri\n\tmsr basepri_max, %1\n\tisb" : "=&r"(state) : "r"(KERNEL_PRIORITY << 5) : "memory");
  return state;
}

void rtos_unlock(uint32_t state) { __asm volatile("msr basepri, %0\n\tisb" ::"r"(state) : "memory"); }

/* The clock has 32 bits; this has those that are missing. Locked. */
static uint64_t now(void) {
  static uint32_t last;
  static uint64_t rounds;
  uint32_t ticks = gpt_ticks();
  if (ticks < last) rounds += 1ull << 32;
  last = ticks;
  return rounds + ticks;
}

uint64_t rtos_ticks(void) {
  uint32_t state = rtos_lock();
  uint64_t ticks = now() - origin;
  rtos_unlock(state);
  return ticks;
}

uint32_t rtos_milliseconds(void) { return (uint32_t)(rtos_ticks() * 1000u / GPT_HZ); }

uint64_t deadline_in(uint32_t milliseconds) {
  /* Rounded up, and one more since the running tick is part gone: never too early. */
  return now() + ((uint64_t)milliseconds * GPT_HZ + 999u) / 1000u + 1u;
}

static inline struct rtos_timeout *timeout_of(struct rtos_link *link) { return (struct rtos_timeout *)(void *)link; }

static void on_alarm(void);

/*
 * Sets the alarm for what comes first. An alarm that is set for an earlier moment stays: it wakes the core once in vain,
 * which costs less than setting it for each timeout that is cancelled before its time. Locked.
 */
static void arrange(void) {
  uint64_t first = list_is_empty(&timeouts) ? NEVER : timeout_of(timeouts.next)->deadline;
  if (slice_end < first) first = slice_end;
  if (!is_running || is_expiring || (alarm_at <= first && alarm_at != NEVER)) return;
  uint64_t at = now();
  if (first > at + LONGEST_ALARM) first = at + LONGEST_ALARM;
  alarm_at = first;
  gpt_start(ALARM_TIMER, first <= at ? 1 : (uint32_t)(first - at), false, on_alarm);
}

void timeout_add(struct rtos_timeout *timeout, uint64_t deadline) {
  timeout->deadline = deadline;
  struct rtos_link *at = &timeouts;
  while (at->previous != &timeouts && timeout_of(at->previous)->deadline > deadline) at = at->previous;
  timeout->link.next = at;
  timeout->link.previous = at->previous;
  at->previous->next = &timeout->link;
  at->previous = &timeout->link;
  arrange();
}

void timeout_cancel(struct rtos_timeout *timeout) {
  list_remove(&timeout->link);
  arrange();
}

void schedule(void) {
  if (!is_running) return;
  uint32_t highest = ready_map == 0 ? RTOS_PRIORITIES : 31u - (uint32_t)__builtin_clz(ready_map);
  struct task *best = highest == RTOS_PRIORITIES ? &idle_task : task_of(ready[highest].next);
  /* A slice is measured only where somebody waits for its end; who is interrupted has what is left of it. */
  bool is_shared = best != &idle_task && best->link.next != best->link.previous;
  if (is_shared && best->slice_end == NEVER) best->slice_end = now() + SLICE_TICKS;
  slice_end = is_shared ? best->slice_end : NEVER;
  arrange();
  if (best != rtos_current) CORE_REG(SCB_ICSR) = ICSR_PENDSVSET;
}

static void make_ready(struct task *task) {
  struct rtos_link *list = &ready[task->priority];
  task->link.next = list;
  task->link.previous = list->previous;
  list->previous->next = &task->link;
  list->previous = &task->link;
  task->is_ready = true;
  task->slice_end = NEVER;
  ready_map |= 1u << task->priority;
}

static void make_unready(struct task *task) {
  list_remove(&task->link);
  task->is_ready = false;
  if (list_is_empty(&ready[task->priority])) ready_map &= ~(1u << task->priority);
}

/* Puts a task into a list of waiters: the most urgent first, equals in their order. */
static void enqueue(struct rtos_link *list, struct task *task) {
  struct rtos_link *at = list;
  while (at->previous != list && task_of(at->previous)->priority < task->priority) at = at->previous;
  task->link.next = at;
  task->link.previous = at->previous;
  at->previous->next = &task->link;
  at->previous = &task->link;
}

struct task *first_waiter(struct rtos_link *list) { return list_is_empty(list) ? 0 : task_of(list->next); }

void wake(struct task *task, enum rtos_result result) {
  list_remove(&task->link);
  list_remove(&task->timeout.link);
  task->waits_in = 0;
  struct mutex *mutex = task->waits_for;
  task->waits_for = 0;
  task->result = result;
  make_ready(task);
  if (mutex != 0) pass_priority(mutex);
  schedule();
}

static void on_timeout(struct rtos_timeout *timeout) {
  struct task *task = (struct task *)(void *)((uint8_t *)timeout - offsetof(struct task, timeout));
  wake(task, RTOS_TIMEOUT);
}

static void on_alarm(void) {
  uint32_t state = rtos_lock();
  alarm_at = NEVER;
  is_expiring = true;
  uint64_t at = now();
  while (!list_is_empty(&timeouts) && timeout_of(timeouts.next)->deadline <= at) {
    struct rtos_timeout *timeout = timeout_of(timeouts.next);
    list_remove(&timeout->link);
    timeout->expire(timeout);
  }
  if (slice_end <= at) {
    struct task *task = rtos_current;
    if (task->is_ready) {
      make_unready(task);
      make_ready(task);
    }
  }
  is_expiring = false;
  schedule();
  rtos_unlock(state);
}

static bool has_guard(void) { return (CORE_REG(MPU_CTRL) & 1u) != 0; }

/* A stack that has grown too far may have spoilt anything: so this comes before anything is used. */
static void check_stack(const uint32_t *stack_pointer) {
  bool is_spoilt = stack_pointer < running.stack || (!has_guard() && running.stack[0] != UNUSED);
  if (is_spoilt) failure_raise(FAILURE_STACK, running.name, 0);
}

enum rtos_result wait_in(struct rtos_link *list, uint32_t timeout_ms, uint32_t state) {
  struct task *task = rtos_current;
  check_stack(__builtin_frame_address(0));
  assert(core_exception() == 0 && is_running);
  make_unready(task);
  enqueue(list, task);
  task->waits_in = list;
  task->result = RTOS_TIMEOUT;
  if (timeout_ms != RTOS_FOREVER) timeout_add(&task->timeout, deadline_in(timeout_ms));
  if (task->waits_for != 0) pass_priority(task->waits_for);
  schedule();
  /* The switch happens here. */
  rtos_unlock(state);
  return task->result;
}

void set_running_priority(struct task *task, uint32_t priority) {
  if (task->priority == priority) return;
  if (task->is_ready) {
    make_unready(task);
    task->priority = (uint8_t)priority;
    make_ready(task);
  } else {
    task->priority = (uint8_t)priority;
    if (task->waits_in != 0) {
      list_remove(&task->link);
      enqueue(task->waits_in, task);
    }
  }
}

static void idle(void *context) {
  (void)context;
  for (;;) core_sleep();
}

static void end_of_task(void) {
  uint32_t state = rtos_lock();
  /* A mutex that nobody can unlock any more would hold up its waiters for ever. */
  assert(rtos_current->held == 0);
  make_unready(rtos_current);
  schedule();
  rtos_unlock(state);
  for (;;) core_barrier();
}

static void prepare(struct task *task, const char *name, void (*entry)(void *context), void *context, uint32_t *stack,
                    size_t bytes) {
  assert(bytes >= RTOS_SMALLEST_STACK && ((uintptr_t)stack & 7u) == 0);
  memset(task, 0, sizeof *task);
  size_t words = bytes / 8 * 2;
  for (size_t i = 0; i < words; i++) stack[i] = UNUSED;
  /* What rtos_switch takes off: r4 to r11 and EXC_RETURN, then the frame that the processor takes off. */
  uint32_t *top = stack + words - 17;
  memset(top, 0, 17 * sizeof *top);
  top[8] = RETURN_TO_TASK;
  top[9] = (uint32_t)(uintptr_t)context;
  top[14] = (uint32_t)(uintptr_t)end_of_task;
  top[15] = (uint32_t)(uintptr_t)entry & ~1u;
  top[16] = THUMB;
  task->stack_pointer = top;
  task->stack = stack;
  task->name = name;
  task->timeout.expire = on_timeout;
  list_init(&task->link);
  list_init(&task->timeout.link);
}

static void set_up(void) {
  if (timeouts.next != 0) return;
  list_init(&timeouts);
  for (size_t i = 0; i <= RTOS_PRIORITIES; i++) list_init(&ready[i]);
}

void task_create(struct task *task, const char *name, void (*entry)(void *context), void *context, uint32_t priority,
                 uint32_t *stack, size_t stack_bytes) {
  assert(priority < RTOS_PRIORITIES);
  prepare(task, name, entry, context, stack, stack_bytes);
  task->priority = task->base_priority = (uint8_t)priority;
  uint32_t state = rtos_lock();
  set_up();
  make_ready(task);
  schedule();
  rtos_unlock(state);
}

struct task *task_self(void) { return rtos_current; }

void task_yield(void) {
  uint32_t state = rtos_lock();
  make_unready(rtos_current);
  make_ready(rtos_current);
  schedule();
  rtos_unlock(state);
}

void task_sleep(uint32_t milliseconds) {
  if (milliseconds == 0) task_yield();
  else wait_in(&sleepers, milliseconds, rtos_lock());
}

void task_suspend(void) {
  uint32_t state = rtos_lock();
  struct task *task = rtos_current;
  bool is_resumed = task->is_resumed;
  task->is_resumed = false;
  if (is_resumed) rtos_unlock(state);
  else wait_in(&suspended, RTOS_FOREVER, state);
}

void task_resume(struct task *task) {
  uint32_t state = rtos_lock();
  if (task->waits_in == &suspended) wake(task, RTOS_OK);
  else task->is_resumed = true;
  rtos_unlock(state);
}

void task_set_priority(struct task *task, uint32_t priority) {
  assert(priority < RTOS_PRIORITIES);
  uint32_t state = rtos_lock();
  task->base_priority = (uint8_t)priority;
  set_running_priority(task, inherited_priority(task));
  if (task->waits_for != 0) pass_priority(task->waits_for);
  schedule();
  rtos_unlock(state);
}

uint32_t task_priority(const struct task *task) { return task->priority; }

size_t task_stack_left(const struct task *task) {
  /* What a guard holds cannot be read. */
  size_t words = has_guard() ? 16 : 0;
  while (task->stack[words] == UNUSED) words++;
  return words * sizeof(uint32_t);
}

static void note_running(void) {
  running.stack = rtos_current->stack;
  running.name = rtos_current->name;
  if (has_guard()) stack_guard_task(rtos_current->stack);
}

/* Called by PendSV with the kernel locked: keeps the old task's stack, answers the new one's. */
uint32_t *rtos_switch(uint32_t *stack_pointer) {
  struct task *task = rtos_current;
  check_stack(stack_pointer);
  task->stack_pointer = stack_pointer;
  uint32_t highest = ready_map == 0 ? RTOS_PRIORITIES : 31u - (uint32_t)__builtin_clz(ready_map);
  rtos_current = highest == RTOS_PRIORITIES ? &idle_task : task_of(ready[highest].next);
  note_running();
  return rtos_current->stack_pointer;
}

/*
 * The upper floating-point registers are kept for tasks that have used them (EXC_RETURN bit 4 is 0); the lower ones are
 * the processor's, stacked lazily: storing the upper ones makes it do so.
 */
__attribute__((naked)) void PendSV_Handler(void) {
  __asm volatile(
      "mrs r0, psp\n\t"
      "tst lr, #0x10\n\t"
      "it eq\n\t"
      "vstmdbeq r0!, {s16-s31}\n\t"
      "stmdb r0!, {r4-r11, lr}\n\t"
      "mov r1, %0\n\t"
      "msr basepri, r1\n\t"
      "isb\n\t"
      "bl rtos_switch\n\t"
      "mov r1, #0\n\t"
      "msr basepri, r1\n\t"
      "ldmia r0!, {r4-r11, lr}\n\t"
      "tst lr, #0x10\n\t"
      "it eq\n\t"
      "vldmiaeq r0!, {s16-s31}\n\t"
      "msr psp, r0\n\t"
      "isb\n\t"
      "bx lr\n\t" ::"i"(KERNEL_PRIORITY << 5));
}

/* The first task: from the program that called rtos_start nothing is kept. */
__attribute__((naked)) void SVC_Handler(void) {
  __asm volatile(
      "ldr r1, =rtos_current\n\t"
      "ldr r1, [r1]\n\t"
      "ldr r0, [r1]\n\t"
      "ldmia r0!, {r4-r11, lr}\n\t"
      "msr psp, r0\n\t"
      "mov r1, #0\n\t"
      "msr basepri, r1\n\t"
      "isb\n\t"
      "bx lr\n\t");
}

void rtos_start(void) {
  prepare(&idle_task, "idle", idle, 0, idle_stack, sizeof idle_stack);
  /* PendSV is the least urgent: a switch waits for all handlers. SVC is not held up by BASEPRI. */
  CORE_REG(SCB_SHPR3) = (CORE_REG(SCB_SHPR3) & 0xFF00FFFFu) | (PRIORITY_LEAST << 21);
  rtos_lock();
  set_up();
  uint32_t highest = ready_map == 0 ? RTOS_PRIORITIES : 31u - (uint32_t)__builtin_clz(ready_map);
  rtos_current = highest == RTOS_PRIORITIES ? &idle_task : task_of(ready[highest].next);
  note_running();
  origin = now();
  is_running = true;
  schedule();
  __asm volatile(
      "ldr r0, =stack_top\n\t"
      "msr msp, r0\n\t"
      /* Floating-point state of the program before is nobody's. */
      "mrs r0, control\n\t"
      "bic r0, #4\n\t"
      "msr control, r0\n\t"
      "isb\n\t"
      "svc #0\n\t");
  __builtin_unreachable();
}

/*
 * What a program leaves when it cannot go on: a record at a fixed place, behind the vector table, that the operating
 * system puts into its error report, and that the program itself finds after a watchdog's restart.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FAILURE_MAGIC 0x4C494146u /* "FAIL" */

enum failure_kind {
  FAILURE_FAULT = 1,
  FAILURE_ASSERT = 2,
  FAILURE_STACK = 3,
  FAILURE_INTERRUPT = 4
};

struct failure {
  uint32_t magic;
  uint32_t kind;
  /* Exception that was running, and what it would have returned to. */
  uint32_t exception;
  uint32_t exc_return;
  /* r0 to r12, sp, lr, pc, xpsr where it happened. */
  uint32_t registers[17];
  uint32_t cfsr;
  uint32_t hfsr;
  uint32_t mmfar;
  uint32_t bfar;
  uint32_t msp;
  uint32_t psp;
  /* A text of the program, or null: the condition that did not hold, the task whose stack was too small. */
  const char *text;
  uint32_t line;
};

extern volatile struct failure failure;

/* Takes the record of the run before, if it ended in a failure: only once. */
bool failure_take(struct failure *out);

/* Ends the program. */
void failure_raise(enum failure_kind kind, const char *text, uint32_t line) __attribute__((noreturn));

/*
 * Has the memory protection unit watch for stacks that grow too far: main's, and, under the kernel, the running task's.
 * `main` calls it once, before rtos_start. On a virtual core programs run slower from then on.
 */
void stack_guard(void);
/* Moves the guard of tasks to the lowest 32 bytes of a stack: the kernel does. */
void stack_guard_task(const void *stack);

/* Ends the program where a condition does not hold; the text is the condition. */
#define assert(condition) ((condition) ? (void)0 : failure_raise(FAILURE_ASSERT, #condition, __LINE__))

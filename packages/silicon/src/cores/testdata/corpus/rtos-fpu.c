/* Three tasks and an interrupt that all use the floating-point unit, and one that does not: nobody's numbers change. */
#include <realtime/gpt.h>
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(first_stack, 1024);
RTOS_STACK(second_stack, 1024);
RTOS_STACK(integer_stack, 1024);
RTOS_STACK(judge_stack, 1024);
static struct task first, second, integer, judge;
static volatile float sums[2];
static volatile unsigned rounds[3], wrong, interrupts;
static volatile float in_interrupt;

/* Fills all 32 registers with a task's own numbers, waits to be interrupted, and looks at them again. */
static void __attribute__((noinline)) hold(uint32_t seed, volatile unsigned *count) {
  uint32_t bad = 0;
  for (;;) {
    __asm volatile(
        "vmov s0, %1\n\t"
        "vmov.f32 s1, s0\n\tvmov.f32 s7, s0\n\tvmov.f32 s15, s0\n\t"
        "vmov.f32 s16, s0\n\tvmov.f32 s23, s0\n\tvmov.f32 s31, s0\n\t"
        "mov r3, #2000\n"
        "1:\n\t"
        "subs r3, #1\n\t"
        "bne 1b\n\t"
        "mov %0, #0\n\t"
        "vmov r3, s0\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        "vmov r3, s1\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        "vmov r3, s7\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        "vmov r3, s15\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        "vmov r3, s16\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        "vmov r3, s23\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        "vmov r3, s31\n\tcmp r3, %1\n\tit ne\n\taddne %0, #1\n\t"
        : "=&r"(bad)
        : "r"(seed)
        : "r3", "cc", "s0", "s1", "s7", "s15", "s16", "s23", "s31");
    wrong += bad;
    (*count)++;
  }
}

static void run_first(void *context) {
  (void)context;
  hold(0x3F800001u, &rounds[0]);
}
static void run_second(void *context) {
  (void)context;
  hold(0x40490FDBu, &rounds[1]);
}
static void run_integer(void *context) {
  (void)context;
  for (;;) rounds[2]++;
}

static void on_timer(void) {
  interrupts++;
  in_interrupt = in_interrupt * 0.5f + (float)interrupts;
  if (interrupts % 3 == 0) task_resume(&judge);
}

static void run_judge(void *context) {
  (void)context;
  float sum = 0;
  for (unsigned i = 0; i < 60; i++) {
    task_suspend();
    sum += 1.0f / (float)(i + 1);
  }
  gpt_stop(0);
  printf("sum %f, interrupts %u: %f\n", (double)sum, interrupts, (double)in_interrupt);
  printf("all ran %d, wrong %u\n", rounds[0] > 10 && rounds[1] > 10 && rounds[2] > 10, wrong);
  sums[0] = sum;
}

int main(void) {
  core_clock(CLOCK_CRYSTAL);
  task_create(&first, "first", run_first, 0, 3, first_stack, sizeof first_stack);
  task_create(&second, "second", run_second, 0, 3, second_stack, sizeof second_stack);
  task_create(&integer, "integer", run_integer, 0, 3, integer_stack, sizeof integer_stack);
  task_create(&judge, "judge", run_judge, 0, 9, judge_stack, sizeof judge_stack);
  gpt_start(0, 53, true, on_timer);
  rtos_start();
}

/* Who interrupts whom: lines that are raised by software, by priority, and what BASEPRI holds up. */
#include <realtime/core.h>
#include <stdio.h>

static char order[40];
static volatile unsigned length;

static void note(char c) { order[length++] = c; }
static void raise(uint32_t line) {
  CORE_REG(NVIC_ISPR(line / 32)) = 1u << (line % 32);
  core_barrier();
  __asm volatile("isb");
}

static void on_least(void) {
  note('(');
  raise(61);
  note(')');
}
static void on_middle(void) {
  note('[');
  raise(62);
  /* Less urgent: it waits; once, since it raises this one in its turn. */
  static bool has_raised;
  if (!has_raised) raise(60);
  has_raised = true;
  note(']');
}
static void on_urgent(void) {
  note('{');
  note('}');
}
static void on_equal(void) { note('='); }

int main(void) {
  interrupt_attach(60, on_least, 6);
  interrupt_attach(61, on_middle, 4);
  interrupt_attach(62, on_urgent, 2);
  interrupt_attach(63, on_equal, 4);
  raise(60);
  note(' ');
  uint32_t mask = core_mask();
  raise(60);
  raise(63);
  raise(62);
  core_unmask(mask);
  note(' ');
  __asm volatile("msr basepri, %0" ::"r"(4u << 5));
  raise(61);
  raise(62);
  note('|');
  __asm volatile("msr basepri, %0\n\tisb" ::"r"(0));
  note(' ');
  order[length] = 0;
  printf("%s\n", order);
  for (;;) core_sleep();
}

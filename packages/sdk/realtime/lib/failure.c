#include <realtime/core.h>
#include <realtime/failure.h>
#include <realtime/uart.h>
#include <stdlib.h>

__attribute__((section(".failure"), used)) volatile struct failure failure;

#define LONGEST_WAIT 200000u
#define LONGEST_TEXT 160u

/* A frame that an exception stacked: r0 to r3, r12, lr, pc, xpsr. */
struct frame {
  uint32_t registers[8];
};

/* Waits until the debug UART has room, or has sent all: never for longer than a FIFO takes. */
static void wait_for(uint32_t status) {
  for (uint32_t i = 0; i < LONGEST_WAIT && (REG(UART_DEBUG, UART_LSR) & status) == 0; i++) continue;
}

static void say(const char *text) {
  for (uint32_t i = 0; i < LONGEST_TEXT && text[i] != 0; i++) {
    wait_for(UART_LSR_THRE);
    REG(UART_DEBUG, UART_THR) = (uint8_t)text[i];
  }
}

static void say_number(const char *before, uint32_t value, uint32_t base) {
  char digits[11];
  uint32_t at = sizeof digits - 1;
  digits[at] = 0;
  do {
    digits[--at] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  say(before);
  say(digits + at);
}

/* One line for whoever looks at the debug UART: with no printf, since anything may be broken. */
static void tell(void) {
  static const char *const KINDS[] = {"", "fault", "assertion", "stack of task", "interrupt"};
  uint32_t kind = failure.kind;
  /* A program that has printed nothing has not opened it. */
  if (REG(UART_DEBUG, UART_LCR) == 0) uart_open(UART_DEBUG, &UART_115200);
  say("\nfailure: ");
  say(KINDS[kind]);
  if (kind == FAILURE_FAULT) {
    say_number(" at 0x", failure.registers[15], 16);
    say_number(", cfsr 0x", failure.cfsr, 16);
    /* BFARVALID, MMARVALID */
    if ((failure.cfsr & (1u << 15)) != 0) say_number(", bfar 0x", failure.bfar, 16);
    if ((failure.cfsr & (1u << 7)) != 0) say_number(", mmfar 0x", failure.mmfar, 16);
  }
  if (failure.text != 0) {
    say(" ");
    say(failure.text);
  }
  if (failure.line != 0) say_number(kind == FAILURE_INTERRUPT ? " of exception " : ", line ", failure.line, 10);
  say("\n");
  wait_for(UART_LSR_TEMT);
}

/* Nothing more can be done: with FAULTMASK set a fault locks the core up, which ends the program. */
static void lock_up(void) __attribute__((noreturn));
static void lock_up(void) {
  core_barrier();
  __asm volatile("cpsid f\n\tudf #0xF5");
  __builtin_unreachable();
}

static bool is_memory(uint32_t address, uint32_t bytes) {
  return (address >= TCM_BASE && address + bytes <= TCM_BASE + TCM_BYTES) ||
         (address >= SYSRAM_BASE && address + bytes <= SYSRAM_BASE + SYSRAM_BYTES);
}

static void describe(enum failure_kind kind) {
  uint32_t msp, psp;
  __asm volatile("mrs %0, msp\n\tmrs %1, psp" : "=r"(msp), "=r"(psp));
  failure.kind = kind;
  failure.exception = core_exception();
  failure.cfsr = CORE_REG(SCB_CFSR);
  failure.hfsr = CORE_REG(SCB_HFSR);
  failure.mmfar = CORE_REG(SCB_MMFAR);
  failure.bfar = CORE_REG(SCB_BFAR);
  failure.msp = msp;
  failure.psp = psp;
}

/* Called by `failure_entry`: where the frame is, r4 to r11 as they were, and EXC_RETURN. */
void failure_of_fault(const struct frame *frame, const uint32_t *high, uint32_t exc_return) __attribute__((noreturn));
void failure_of_fault(const struct frame *frame, const uint32_t *high, uint32_t exc_return) {
  /* The first failure is the cause: what fails while it is told is not. */
  if (failure.magic == FAILURE_MAGIC) lock_up();
  describe(FAILURE_FAULT);
  failure.exc_return = exc_return;
  for (uint32_t i = 0; i < 8; i++) failure.registers[4 + i] = high[i];
  uint32_t at = (uint32_t)(uintptr_t)frame;
  failure.registers[13] = at;
  /* Where stacking failed (MSTKERR, STKERR) there is no frame. */
  if (is_memory(at, sizeof *frame) && (failure.cfsr & ((1u << 4) | (1u << 12))) == 0) {
    for (uint32_t i = 0; i < 4; i++) failure.registers[i] = frame->registers[i];
    failure.registers[12] = frame->registers[4];
    failure.registers[14] = frame->registers[5];
    failure.registers[15] = frame->registers[6];
    failure.registers[16] = frame->registers[7];
    uint32_t bytes = (exc_return & 0x10u) != 0 ? 32 : 104;
    failure.registers[13] = at + bytes + ((frame->registers[7] & (1u << 9)) != 0 ? 4 : 0);
  }
  failure.text = 0;
  failure.line = 0;
  failure.magic = FAILURE_MAGIC;
  tell();
  lock_up();
}

/* Every fault comes here with its stack as it was left. */
__attribute__((naked)) void failure_entry(void) {
  __asm volatile(
      "tst lr, #4\n\t"
      "ite eq\n\t"
      "mrseq r0, msp\n\t"
      "mrsne r0, psp\n\t"
      /* The main stack may be what is broken: the record is made on a stack that is not. */
      "ldr r1, =stack_top\n\t"
      "mov r2, lr\n\t"
      "mrs r3, msp\n\t"
      "ldr r12, =stack_limit\n\t"
      "add r12, #256\n\t"
      "cmp r3, r12\n\t"
      "it cc\n\t"
      "msrcc msp, r1\n\t"
      "push {r4-r11}\n\t"
      "mov r1, sp\n\t"
      "b failure_of_fault\n\t");
}

void failure_raise(enum failure_kind kind, const char *text, uint32_t line) {
  uint32_t pc = (uint32_t)(uintptr_t)__builtin_return_address(0) & ~1u;
  uint32_t sp = (uint32_t)(uintptr_t)__builtin_frame_address(0);
  (void)core_mask();
  if (failure.magic == FAILURE_MAGIC) lock_up();
  describe(kind);
  for (uint32_t i = 0; i < 17; i++) failure.registers[i] = 0;
  failure.registers[13] = sp;
  failure.registers[14] = pc;
  failure.registers[15] = pc;
  failure.exc_return = 0;
  failure.text = text;
  failure.line = line;
  failure.magic = FAILURE_MAGIC;
  tell();
  lock_up();
}

bool failure_take(struct failure *out) {
  if (failure.magic != FAILURE_MAGIC) return false;
  *out = failure;
  failure.magic = 0;
  return true;
}

void abort(void) { failure_raise(FAILURE_ASSERT, "abort", 0); }

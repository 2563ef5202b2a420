#include <realtime/core.h>
#include <realtime/failure.h>
#include <string.h>

int main(void);
void Reset_Handler(void) __attribute__((noreturn));
void failure_entry(void);

extern uint8_t data_start[], data_end[], data_saved[], bss_start[], bss_end[], stack_top[];

/* Zero in memory that was just loaded, which a restart by the watchdog leaves alone. */
KEPT static uint32_t starts;

static void unexpected(void) { failure_raise(FAILURE_INTERRUPT, 0, core_exception()); }

void NMI_Handler(void) __attribute__((weak, alias("unexpected")));
void SVC_Handler(void) __attribute__((weak, alias("unexpected")));
void PendSV_Handler(void) __attribute__((weak, alias("unexpected")));
void SysTick_Handler(void) __attribute__((weak, alias("unexpected")));

/* The table lies in TCM, so lines get their handlers while the program runs. */
__attribute__((section(".vectors"), used)) interrupt_handler vectors[16 + LINES] = {
    (interrupt_handler)(uintptr_t)stack_top,
    Reset_Handler,
    NMI_Handler,
    failure_entry,
    failure_entry,
    failure_entry,
    failure_entry,
    0,
    0,
    0,
    0,
    SVC_Handler,
    unexpected,
    0,
    PendSV_Handler,
    SysTick_Handler,
    [16 ... 15 + LINES] = unexpected,
};

void Reset_Handler(void) {
  CORE_REG(SCB_VTOR) = (uint32_t)(uintptr_t)vectors;
  /* Before any code that may use the floating-point unit. */
  CORE_REG(SCB_CPACR) |= 0xFu << 20;
  __asm volatile("dsb\n\tisb" ::: "memory");
  size_t data = (size_t)(data_end - data_start);
  if (starts++ == 0) {
    memcpy(data_saved, data_start, data);
  } else {
    memcpy(data_start, data_saved, data);
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    for (uint32_t line = 0; line < LINES; line++) {
      interrupt_disable(line);
      CORE_REG(NVIC_ICPR(line / 32)) = 1u << (line % 32);
      vectors[16 + line] = unexpected;
    }
  }
  /* Memory management, bus and usage faults by themselves; division by zero is one. */
  CORE_REG(SCB_SHCSR) |= 7u << 16;
  CORE_REG(SCB_CCR) |= 1u << 4;
  core_clock(CLOCK_PLL);
  main();
  for (;;) core_sleep();
}

void interrupt_attach(uint32_t line, interrupt_handler handler, uint32_t priority) {
  assert(line < LINES);
  vectors[16 + line] = handler;
  *(volatile uint8_t *)(NVIC_IPR + line) = (uint8_t)(priority << 5);
  core_barrier();
  interrupt_enable(line);
}

void interrupt_enable(uint32_t line) { CORE_REG(NVIC_ISER(line / 32)) = 1u << (line % 32); }

void interrupt_disable(uint32_t line) {
  CORE_REG(NVIC_ICER(line / 32)) = 1u << (line % 32);
  core_barrier();
}

void core_clock(uint32_t source) { REG(CLOCK, CLOCK_SELECT) = (REG(CLOCK, CLOCK_SELECT) & ~(3u << 8)) | source; }

uint32_t core_cycles(void) {
  if ((CORE_REG(DWT_CTRL) & 1u) == 0) {
    CORE_REG(DEMCR) |= 1u << 24;
    CORE_REG(DWT_CTRL) |= 1u;
  }
  return CORE_REG(DWT_CYCCNT);
}

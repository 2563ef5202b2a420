#include <realtime/core.h>
#include <realtime/failure.h>

#define REGION_MAIN 0u
#define REGION_TASK 1u
/* Nobody may, nor execute; normal memory. */
#define NO_ACCESS ((1u << 28) | (1u << 17))
#define SIZE(log2) (((log2) - 1u) << 1)
#define REGION_ENABLE 1u
/* Everything else is as without the unit. */
#define ENABLE_WITH_BACKGROUND 5u

extern uint8_t stack_limit[];

static void watch(uint32_t region, uintptr_t base, uint32_t log2) {
  CORE_REG(MPU_RNR) = region;
  CORE_REG(MPU_RASR) = 0;
  CORE_REG(MPU_RBAR) = (uint32_t)base;
  CORE_REG(MPU_RASR) = NO_ACCESS | SIZE(log2) | REGION_ENABLE;
}

void stack_guard(void) {
  watch(REGION_MAIN, (uintptr_t)stack_limit, 8);
  CORE_REG(MPU_CTRL) = ENABLE_WITH_BACKGROUND;
  __asm volatile("dsb\n\tisb" ::: "memory");
}

void stack_guard_task(const void *stack) {
  watch(REGION_TASK, ((uintptr_t)stack + 31u) & ~(uintptr_t)31u, 5);
  __asm volatile("dsb\n\tisb" ::: "memory");
}

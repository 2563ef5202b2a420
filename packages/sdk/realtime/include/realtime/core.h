/* The Cortex-M4F: its private registers (Armv7-M manual, B3), barriers and interrupts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registers.h"

/* Memories of a core; the stack begins at the end of TCM. */
#define TCM_BASE 0x00100000u
#define TCM_BYTES 0x30000u
#define SYSRAM_BASE 0x22000000u
#define SYSRAM_BYTES 0x10000u

/* Where code and data go that are not to lie in TCM: SYSRAM takes DMA, flash is executed in place. */
#define IN_SYSRAM __attribute__((section(".sysram")))
#define IN_FLASH __attribute__((section(".xip"), noinline))
/* Keeps its value over a watchdog's restart. */
#define KEPT __attribute__((section(".kept")))

#define CORE_ACTLR 0xE000E008u
#define SYSTICK_CTRL 0xE000E010u
#define SYSTICK_LOAD 0xE000E014u
#define SYSTICK_VAL 0xE000E018u
#define NVIC_ISER(n) (0xE000E100u + 4u * (n))
#define NVIC_ICER(n) (0xE000E180u + 4u * (n))
#define NVIC_ISPR(n) (0xE000E200u + 4u * (n))
#define NVIC_ICPR(n) (0xE000E280u + 4u * (n))
#define NVIC_IPR 0xE000E400u
#define SCB_CPUID 0xE000ED00u
#define SCB_ICSR 0xE000ED04u
#define SCB_VTOR 0xE000ED08u
#define SCB_AIRCR 0xE000ED0Cu
#define SCB_CCR 0xE000ED14u
#define SCB_SHPR1 0xE000ED18u
#define SCB_SHPR2 0xE000ED1Cu
#define SCB_SHPR3 0xE000ED20u
#define SCB_SHCSR 0xE000ED24u
#define SCB_CFSR 0xE000ED28u
#define SCB_HFSR 0xE000ED2Cu
#define SCB_MMFAR 0xE000ED34u
#define SCB_BFAR 0xE000ED38u
#define SCB_CPACR 0xE000ED88u
#define MPU_CTRL 0xE000ED94u
#define MPU_RNR 0xE000ED98u
#define MPU_RBAR 0xE000ED9Cu
#define MPU_RASR 0xE000EDA0u
#define FPU_FPCCR 0xE000EF34u
#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define DEMCR 0xE000EDFCu

#define CORE_REG(address) REG(0u, address)
#define ICSR_PENDSVSET (1u << 28)
#define SYSTICK_ENABLE 1u
#define SYSTICK_TICKINT 2u
#define SYSTICK_CLKSOURCE 4u

/* Cycles a second: at full speed, which start-up chooses, and of the crystal, which takes less power. */
#define CORE_HZ 197600000u
#define CORE_CRYSTAL_HZ 26000000u

/*
 * Priorities: 0 is the most urgent, 7 the least (three bits). Interrupts of 0 and 1 are never held up by the kernel
 * and may call nothing of it.
 */
#define PRIORITY_URGENT 1u
#define PRIORITY_NORMAL 4u
#define PRIORITY_LEAST 7u

typedef void (*interrupt_handler)(void);

static inline void core_barrier(void) { __asm volatile("dsb" ::: "memory"); }
static inline void core_sleep(void) { __asm volatile("dsb\n\twfi\n\tisb" ::: "memory"); }

/* The exception that runs; 0: none, the program itself. */
static inline uint32_t core_exception(void) {
  uint32_t ipsr;
  __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
  return ipsr & 0x1FFu;
}

/* Masks all interrupts; answers what to give `core_unmask`. */
static inline uint32_t core_mask(void) {
  uint32_t primask;
  __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(primask)::"memory");
  return primask;
}

static inline void core_unmask(uint32_t primask) { __asm volatile("msr primask, %0" ::"r"(primask) : "memory"); }

/* Gives a line its handler and priority, and lets it through. */
void interrupt_attach(uint32_t line, interrupt_handler handler, uint32_t priority);
/* Holds a line back; what is pending stays pending. */
void interrupt_disable(uint32_t line);
void interrupt_enable(uint32_t line);

/* Chooses the core's clock: CLOCK_PLL, CLOCK_CRYSTAL or CLOCK_SLOW. Timers and UARTs have clocks of their own. */
void core_clock(uint32_t source);

/* Cycles since start, by the core's own counter; goes round at 2^32. */
uint32_t core_cycles(void);

/* Handlers that a program may define; what it does not, ends in a failure record. */
void NMI_Handler(void);
void SVC_Handler(void);
void PendSV_Handler(void);
void SysTick_Handler(void);

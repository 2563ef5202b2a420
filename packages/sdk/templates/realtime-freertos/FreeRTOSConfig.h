/* What this app wants of FreeRTOS; its documentation tells each of these. */
#pragma once

#include <realtime/core.h>
#include <realtime/failure.h>

#define configCPU_CLOCK_HZ CORE_HZ
#define configTICK_RATE_HZ 1000
#define configUSE_PREEMPTION 1
#define configUSE_TIME_SLICING 1
/* The core sleeps while no task runs; SysTick reaches 84 ms at a time. */
#define configUSE_TICKLESS_IDLE 1
#define configUSE_IDLE_HOOK 0
#define configUSE_TICK_HOOK 0
#define configMAX_PRIORITIES 8
#define configMINIMAL_STACK_SIZE 128
#define configTOTAL_HEAP_SIZE (24 * 1024)
#define configMAX_TASK_NAME_LEN 16
#define configUSE_16_BIT_TICKS 0
#define configUSE_MUTEXES 1
#define configUSE_RECURSIVE_MUTEXES 1
#define configUSE_COUNTING_SEMAPHORES 1
#define configUSE_TASK_NOTIFICATIONS 1
#define configUSE_TIMERS 1
#define configTIMER_TASK_PRIORITY 6
#define configTIMER_QUEUE_LENGTH 8
#define configTIMER_TASK_STACK_DEPTH 256
#define configSUPPORT_DYNAMIC_ALLOCATION 1
#define configSUPPORT_STATIC_ALLOCATION 0
#define configCHECK_FOR_STACK_OVERFLOW 0
#define configUSE_PORT_OPTIMISED_TASK_SELECTION 1

/* Three bits of priority. Interrupts of 2 to 7 may call FreeRTOS; the kernel itself is the least urgent. */
#define configPRIO_BITS 3
#define configKERNEL_INTERRUPT_PRIORITY (PRIORITY_LEAST << 5)
#define configMAX_SYSCALL_INTERRUPT_PRIORITY (2 << 5)

#define INCLUDE_vTaskDelay 1
#define INCLUDE_vTaskDelayUntil 1
#define INCLUDE_vTaskDelete 1
#define INCLUDE_vTaskSuspend 1
#define INCLUDE_vTaskPrioritySet 1
#define INCLUDE_uxTaskPriorityGet 1
#define INCLUDE_uxTaskGetStackHighWaterMark 1
#define INCLUDE_xTaskGetSchedulerState 1

/* A condition of FreeRTOS that does not hold ends the app with a record for the error report. */
#define configASSERT(condition) assert(condition)

/* Its handlers under the names of the vector table. */
#define vPortSVCHandler SVC_Handler
#define xPortPendSVHandler PendSV_Handler
#define xPortSysTickHandler SysTick_Handler

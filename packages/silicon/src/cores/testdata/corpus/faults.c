/* Every way to fail: a letter from the debug UART chooses. */
#include <realtime/failure.h>
#include <realtime/uart.h>
#include <stdio.h>

static void __attribute__((noinline)) overflow(volatile uint32_t *above) {
  volatile uint32_t here[64];
  here[0] = above[0];
  if (here[0] != 0) overflow(here);
  above[0] = here[1];
}

static void __attribute__((noinline)) fail(char how) {
  switch (how) {
    case 'b': /* a bus fault with its address: nothing answers there */
      (void)*(volatile uint32_t *)0x38FF0000u;
      break;
    case 'w': /* the same for a store */
      *(volatile uint32_t *)0x38FF0004u = 1;
      break;
    case 'n': /* a store through a null pointer */
      *(volatile uint32_t *)0 = 1;
      break;
    case 'd': {
      volatile int zero = 0;
      volatile int result = 100 / zero;
      (void)result;
      break;
    }
    case 'u':
      __asm volatile("udf #1");
      break;
    case 'x': /* an address that is no code */
      ((void (*)(void))0x30000001u)();
      break;
    case 't': /* without the Thumb bit */
      ((void (*)(void))0x00100400u)();
      break;
    case 'a':
      assert(how == 'A');
      break;
    case 's': {
      volatile uint32_t first[2] = {1, 2};
      stack_guard();
      overflow(first);
      break;
    }
    case 'h': /* a bus fault that may not be handled as one: a hard fault */
      CORE_REG(SCB_SHCSR) = 0;
      (void)*(volatile uint32_t *)0x38FF0008u;
      break;
    case 'i': /* an interrupt that nobody attached */
      interrupt_enable(70);
      CORE_REG(NVIC_ISPR(2)) = 1u << 6;
      core_barrier();
      break;
    case 'l': /* unaligned, where it is not allowed */
      __asm volatile("ldrd r0, r1, [%0]" ::"r"(0x00100402u) : "r0", "r1");
      break;
    default:
      printf("no such failure\n");
  }
}

static volatile uint8_t how;
static void on_receive(void) { uart_read(UART_DEBUG, (void *)(uintptr_t)&how, 1); }

int main(void) {
  printf("which?\n");
  uart_on_receive(UART_DEBUG, on_receive);
  while (how == 0) core_sleep();
  fail((char)how);
  for (;;) core_sleep();
}

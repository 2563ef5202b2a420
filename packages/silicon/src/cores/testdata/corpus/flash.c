/* Code and constants that are executed in place from flash, beside code in TCM. */
#include <realtime/core.h>
#include <stdio.h>

static const uint32_t primes[] __attribute__((section(".xip.primes"))) = {2, 3, 5, 7, 11, 13};

IN_FLASH static uint32_t product(void) {
  uint32_t all = 1;
  for (unsigned i = 0; i < sizeof primes / sizeof *primes; i++) all *= primes[i];
  return all;
}

int main(void) {
  printf("%u from %s\n", (unsigned)product(), (uintptr_t)product >> 20 == 0x100 ? "flash" : "elsewhere");
  for (;;) core_sleep();
}

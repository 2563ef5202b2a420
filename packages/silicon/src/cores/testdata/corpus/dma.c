/* Words by DMA from one place of SYSRAM to another; what it does not reach is refused. */
#include <realtime/dma.h>
#include <stdio.h>

static IN_SYSRAM uint32_t from[256];
static IN_SYSRAM uint32_t to[256];
static uint32_t elsewhere[4];
static volatile bool is_done;

static void on_end(void) { is_done = true; }

int main(void) {
  for (uint32_t i = 0; i < 256; i++) from[i] = i * 0x01010101u;
  printf("elsewhere %d\n", dma_copy(elsewhere, from, 4, on_end));
  printf("started %d\n", dma_copy(to, from, 256, on_end));
  while (!is_done) core_sleep();
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < 256; i++) wrong += to[i] != from[i];
  printf("left %u wrong %u\n", (unsigned)dma_remaining(), (unsigned)wrong);
  for (;;) core_sleep();
}

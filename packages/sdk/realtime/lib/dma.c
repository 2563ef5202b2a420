#include <realtime/dma.h>

/* The channel between memories; the others are the peripherals'. */
#define CHANNEL 12u
#define MOST_WORDS 0xFFFFu

static interrupt_handler end_handler;

static void on_end(void) {
  uint32_t base = DMA_CHANNEL(CHANNEL);
  if ((REG(base, DMA_INTSTA) & DMA_CON_INT) == 0) return;
  REG(base, DMA_ACKINT) = DMA_CON_INT;
  REG(base, DMA_START) = 0;
  if (end_handler != 0) end_handler();
}

static bool is_reachable(uint32_t address, size_t words) {
  return (address & 3u) == 0 && address >= SYSRAM_BASE && words <= SYSRAM_BYTES / 4 &&
         address - SYSRAM_BASE <= SYSRAM_BYTES - 4 * words;
}

bool dma_copy(void *to, const void *from, size_t words, interrupt_handler handler) {
  uint32_t target = (uint32_t)(uintptr_t)to, source = (uint32_t)(uintptr_t)from;
  if (words == 0 || words > MOST_WORDS || !is_reachable(target, words) || !is_reachable(source, words)) return false;
  uint32_t base = DMA_CHANNEL(CHANNEL);
  REG(base, DMA_START) = 0;
  REG(base, DMA_ACKINT) = DMA_CON_INT;
  end_handler = handler;
  REG(base, DMA_SRC) = source;
  REG(base, DMA_DST) = target;
  REG(base, DMA_COUNT) = (uint32_t)words;
  REG(base, DMA_CON) = DMA_CON_WORD | DMA_CON_SINC | DMA_CON_DINC | DMA_CON_INT;
  REG(DMA_GLOBAL, DMA_EN_SET) = 1u << CHANNEL;
  interrupt_attach(LINE_DMA, on_end, PRIORITY_NORMAL);
  core_barrier();
  REG(base, DMA_START) = DMA_START_BIT;
  return true;
}

uint32_t dma_remaining(void) { return REG(DMA_CHANNEL(CHANNEL), DMA_RLCT); }

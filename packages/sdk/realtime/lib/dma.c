#include <realtime/dma.h>

static interrupt_handler handlers[DMA_CHANNELS];

static void on_end(void) {
  for (unsigned channel = 0; channel < DMA_CHANNELS; channel++) {
    uint32_t base = DMA_CHANNEL(channel);
    if ((REG(base, DMA_INTSTA) & DMA_CON_INT) == 0) continue;
    REG(base, DMA_ACKINT) = DMA_CON_INT;
    REG(base, DMA_START) = 0;
    if (handlers[channel] != 0) handlers[channel]();
  }
}

static bool is_reachable(uint32_t address, size_t words) {
  return (address & 3u) == 0 && address >= SYSRAM_BASE && words <= SYSRAM_BYTES / 4 &&
         address - SYSRAM_BASE <= SYSRAM_BYTES - 4 * words;
}

bool dma_copy(unsigned channel, void *to, const void *from, size_t words, interrupt_handler handler) {
  uint32_t target = (uint32_t)(uintptr_t)to, source = (uint32_t)(uintptr_t)from;
  if (channel >= DMA_CHANNELS || words == 0 || words > 0xFFFF) return false;
  if (!is_reachable(target, words) || !is_reachable(source, words)) return false;
  uint32_t base = DMA_CHANNEL(channel);
  handlers[channel] = handler;
  REG(base, DMA_START) = 0;
  REG(base, DMA_ACKINT) = DMA_CON_INT;
  REG(base, DMA_SRC) = source;
  REG(base, DMA_DST) = target;
  REG(base, DMA_COUNT) = (uint32_t)words;
  REG(base, DMA_CON) = DMA_CON_WORD | DMA_CON_SINC | DMA_CON_DINC | DMA_CON_INT;
  REG(DMA_GLOBAL, DMA_EN_SET) = 1u << channel;
  interrupt_attach(LINE_DMA, on_end, PRIORITY_NORMAL);
  core_barrier();
  REG(base, DMA_START) = DMA_START_BIT;
  return true;
}

uint32_t dma_remaining(unsigned channel) { return channel < DMA_CHANNELS ? REG(DMA_CHANNEL(channel), DMA_RLCT) : 0; }

#include <realtime/watchdog.h>

void watchdog_start(uint32_t milliseconds) {
  uint32_t ticks = (uint32_t)(((uint64_t)milliseconds * 32 + 999) / 1000);
  ticks = ticks == 0 ? 1 : ticks > 0x7FF ? 0x7FF : ticks;
  REG(WATCHDOG, WDT_LENGTH) = (ticks << 5) | WDT_LENGTH_KEY;
  REG(WATCHDOG, WDT_RESTART) = WDT_RESTART_KEY;
  REG(WATCHDOG, WDT_MODE) = WDT_MODE_KEY | WDT_MODE_ENABLE;
}

void watchdog_feed(void) { REG(WATCHDOG, WDT_RESTART) = WDT_RESTART_KEY; }

void watchdog_stop(void) { REG(WATCHDOG, WDT_MODE) = WDT_MODE_KEY; }

void watchdog_reset(void) {
  REG(WATCHDOG, WDT_SWRST) = WDT_SWRST_KEY;
  for (;;) core_barrier();
}

enum watchdog_cause watchdog_cause(void) {
  uint32_t status = REG(WATCHDOG, WDT_STATUS);
  if ((status & WDT_STATUS_HARDWARE) != 0) return WATCHDOG_NOT_FED;
  return (status & WDT_STATUS_SOFTWARE) != 0 ? WATCHDOG_RESET : WATCHDOG_NONE;
}

#include <realtime/gpt.h>

static interrupt_handler handlers[2];
static interrupt_handler alarm_handler;

static void on_zero(void) {
  uint32_t status = REG(GPT, GPT_ISR);
  REG(GPT, GPT_ISR) = status;
  for (unsigned timer = 0; timer < 2; timer++)
    if ((status & (1u << timer)) != 0 && handlers[timer] != 0) handlers[timer]();
}

void gpt_start(unsigned timer, uint32_t ticks, bool repeats, interrupt_handler handler) {
  uint32_t mask = core_mask();
  handlers[timer] = handler;
  REG(GPT, GPT_CTRL(timer)) = 0;
  REG(GPT, GPT_ISR) = 1u << timer;
  REG(GPT, GPT_ICNT(timer)) = ticks == 0 ? 1 : ticks;
  REG(GPT, GPT_IER) |= 1u << timer;
  REG(GPT, GPT_CTRL(timer)) = GPT_CTRL_ENABLE | GPT_CTRL_FAST | (repeats ? GPT_CTRL_REPEAT : 0);
  interrupt_attach(LINE_GPT01, on_zero, PRIORITY_NORMAL);
  core_unmask(mask);
}

void gpt_stop(unsigned timer) {
  uint32_t mask = core_mask();
  REG(GPT, GPT_CTRL(timer)) = 0;
  REG(GPT, GPT_IER) &= ~(1u << timer);
  REG(GPT, GPT_ISR) = 1u << timer;
  core_unmask(mask);
}

uint32_t gpt_ticks(void) {
  if ((REG(GPT, GPT2_CTRL) & GPT_CTRL_ENABLE) == 0) REG(GPT, GPT2_CTRL) = GPT_CTRL_ENABLE | GPT2_CTRL_FAST;
  return REG(GPT, GPT2_CNT);
}

uint32_t gpt_microseconds(void) {
  if ((REG(GPT, GPT3_CTRL) & GPT_CTRL_ENABLE) == 0) {
    REG(GPT, GPT3_INIT) = 0;
    REG(GPT, GPT3_CTRL) = GPT3_CTRL_1MHZ | GPT_CTRL_ENABLE;
  }
  return REG(GPT, GPT3_CNT);
}

void gpt_wait_microseconds(uint32_t microseconds) {
  uint32_t start = gpt_microseconds();
  while (gpt_microseconds() - start < microseconds) continue;
}

static void on_alarm(void) {
  REG(GPT, GPT3_CTRL) |= GPT3_CTRL_ICLR;
  interrupt_handler handler = alarm_handler;
  alarm_handler = 0;
  if (handler != 0) handler();
}

void gpt_alarm(uint32_t microseconds, interrupt_handler handler) {
  uint32_t mask = core_mask();
  alarm_handler = handler;
  REG(GPT, GPT3_EXPIRE) = gpt_microseconds() + (microseconds == 0 ? 1 : microseconds);
  interrupt_attach(LINE_GPT3, on_alarm, PRIORITY_NORMAL);
  core_unmask(mask);
}

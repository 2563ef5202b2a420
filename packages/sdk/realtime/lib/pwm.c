#include <realtime/pwm.h>

#define LONGEST 0xFFFFu

bool pwm_set(unsigned group, unsigned channel, uint32_t period_ns, uint32_t high_ns) {
  if (group > 2 || channel > 3 || period_ns == 0 || high_ns > period_ns) return false;
  /* 26 MHz where that reaches, which is 2.5 ms; else 2 MHz. A group has one clock. */
  uint32_t period = (uint32_t)((uint64_t)period_ns * 26 / 1000);
  uint32_t high = (uint32_t)((uint64_t)high_ns * 26 / 1000);
  uint32_t clock = PWM_GLO_CTRL_XTAL;
  if (high > LONGEST || period - high > LONGEST) {
    period = period_ns / 500;
    high = high_ns / 500;
    clock = PWM_GLO_CTRL_2MHZ;
  }
  if (high > LONGEST || period - high > LONGEST || period == 0) return false;
  uint32_t base = PWM_GROUP(group);
  REG(base, PWM_GLO_CTRL) = (REG(base, PWM_GLO_CTRL) & ~6u) | clock;
  REG(base, PWM_PARAM_S0(channel)) = high | ((period - high) << 16);
  REG(base, PWM_CTRL(channel)) = high == 0 ? PWM_CTRL_KICK : PWM_CTRL_KICK | PWM_CTRL_CLOCK;
  return true;
}

#include <realtime/pwm.h>

#define LONGEST 0xFFFFu
#define GROUPS 3u
#define CHANNELS 4u

/* Channels of each group that run: they share its clock. */
static uint8_t running[GROUPS];

struct clock {
  uint32_t select;
  /* Ticks in 1000 ns. */
  uint32_t ticks;
};

/* The finer one reaches 2.5 ms, the other 32 ms. */
static const struct clock CLOCKS[] = {{PWM_GLO_CTRL_XTAL, 26}, {PWM_GLO_CTRL_2MHZ, 2}};

static uint32_t ticks_of(const struct clock *clock, uint32_t nanoseconds) {
  return (uint32_t)((uint64_t)nanoseconds * clock->ticks / 1000);
}

bool pwm_set(unsigned group, unsigned channel, uint32_t period_ns, uint32_t high_ns) {
  if (group >= GROUPS || channel >= CHANNELS || period_ns == 0 || high_ns > period_ns) return false;
  uint32_t base = PWM_GROUP(group);
  uint32_t global = REG(base, PWM_GLO_CTRL);
  bool is_alone = (running[group] & ~(1u << channel)) == 0;
  for (uint32_t i = 0; i < sizeof CLOCKS / sizeof *CLOCKS; i++) {
    const struct clock *clock = &CLOCKS[i];
    if (!is_alone && (global & 6u) != clock->select) continue;
    uint32_t high = ticks_of(clock, high_ns), low = ticks_of(clock, period_ns) - high;
    if (high > LONGEST || low > LONGEST || high + low == 0) continue;
    REG(base, PWM_GLO_CTRL) = (global & ~6u) | clock->select;
    REG(base, PWM_PARAM_S0(channel)) = high | (low << 16);
    REG(base, PWM_CTRL(channel)) = high == 0 ? PWM_CTRL_KICK : PWM_CTRL_KICK | PWM_CTRL_CLOCK;
    running[group] = (uint8_t)(high == 0 ? running[group] & ~(1u << channel) : running[group] | (1u << channel));
    return true;
  }
  return false;
}

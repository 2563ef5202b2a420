#include <realtime/gpio.h>

struct block {
  uint8_t first;
  uint8_t count;
  uint8_t din;
  uint32_t base;
};

/* Blocks of five or eight pins; the groups of four are computed. */
static const struct block BLOCKS[] = {
    {26, 5, GPIO_DIN_ISU, ISU(0)}, {31, 5, GPIO_DIN_ISU, ISU(1)},         {36, 5, GPIO_DIN_ISU, ISU(2)},
    {41, 8, GPIO_DIN_GROUP, ADC},  {56, 5, GPIO_DIN_I2S, I2S(0) + 0x100}, {61, 5, GPIO_DIN_I2S, I2S(1) + 0x100},
    {66, 5, GPIO_DIN_ISU, ISU(3)}, {71, 5, GPIO_DIN_ISU, ISU(4)},
};

struct place {
  uint32_t base;
  uint32_t bit;
  uint32_t din;
};

static bool find(unsigned pin, struct place *place) {
  if (pin < 24) {
    *place = (struct place){GPIO_GROUP(pin / 4), 1u << (pin % 4), GPIO_DIN_GROUP};
    return true;
  }
  for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++) {
    const struct block *block = &BLOCKS[i];
    if (pin < block->first || pin >= (unsigned)block->first + block->count) continue;
    *place = (struct place){block->base, 1u << (pin - block->first), block->din};
    return true;
  }
  return false;
}

bool gpio_output(unsigned pin, bool level) {
  struct place place;
  if (!find(pin, &place)) return false;
  REG(place.base, level ? GPIO_DOUT_SET : GPIO_DOUT_CLR) = place.bit;
  REG(place.base, GPIO_OE_SET) = place.bit;
  return true;
}

bool gpio_input(unsigned pin, enum gpio_pull pull) {
  struct place place;
  if (!find(pin, &place)) return false;
  REG(place.base, GPIO_OE_CLR) = place.bit;
  REG(place.base, GPIO_IES_SET) = place.bit;
  REG(place.base, pull == GPIO_PULL_UP ? GPIO_PU_SET : GPIO_PU_CLR) = place.bit;
  REG(place.base, pull == GPIO_PULL_DOWN ? GPIO_PD_SET : GPIO_PD_CLR) = place.bit;
  return true;
}

bool gpio_write(unsigned pin, bool level) {
  struct place place;
  if (!find(pin, &place)) return false;
  REG(place.base, level ? GPIO_DOUT_SET : GPIO_DOUT_CLR) = place.bit;
  return true;
}

bool gpio_read(unsigned pin) {
  struct place place;
  return find(pin, &place) && (REG(place.base, place.din) & place.bit) != 0;
}

bool gpio_on_edge(unsigned pin, enum gpio_edge edge, unsigned debounce, interrupt_handler handler) {
  if (pin >= 24 || debounce > 15) return false;
  uint32_t how = edge == GPIO_EDGE_BOTH ? EINT_DUAL : edge == GPIO_EDGE_RISING ? EINT_POLARITY : 0;
  REG(EINT, EINT_CONTROL(pin)) = how | EINT_DEBOUNCE(debounce) | EINT_ENABLE;
  interrupt_attach(LINE_EINT0 + pin, handler, PRIORITY_NORMAL);
  return true;
}

#include <realtime/adc.h>

void adc_open(void) { REG(ADC, ADC_GLOBAL) = 1; }

int32_t adc_read(unsigned channel) {
  if (channel > 7) return -1;
  REG(ADC, ADC_CTL0) = ADC_CTL0_CHANNELS(1u << channel) | ADC_CTL0_RUN;
  while ((REG(ADC, ADC_LSR) & 1u) == 0) continue;
  uint32_t sample = REG(ADC, ADC_FIFO);
  REG(ADC, ADC_CTL0) = 0;
  return (int32_t)((sample >> 4) & 0xFFFu);
}

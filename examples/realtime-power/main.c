/*
 * A sensor that sleeps: on the crystal's clock it wakes four times a second, samples a voltage and sleeps again; once in
 * four seconds it goes to full speed for what is to be computed, says the mean and the spread, and how many of a
 * thousand microseconds it was awake.
 */
#include <realtime/adc.h>
#include <realtime/gpt.h>
#include <stdio.h>

#define SAMPLES 16u
#define CHANNEL 0u

static int32_t samples[SAMPLES];
static volatile unsigned count;
static uint32_t awake;

static void on_timer(void) {
  uint32_t start = gpt_microseconds();
  samples[count % SAMPLES] = adc_read(CHANNEL);
  count++;
  awake += gpt_microseconds() - start;
}

static void report(void) {
  float sum = 0, squares = 0;
  for (unsigned i = 0; i < SAMPLES; i++) sum += (float)samples[i];
  float mean = sum / SAMPLES;
  for (unsigned i = 0; i < SAMPLES; i++) squares += ((float)samples[i] - mean) * ((float)samples[i] - mean);
  printf("mean %.1f, variance %.1f\n", (double)mean, (double)(squares / SAMPLES));
}

int main(void) {
  printf("realtime-power starts\n");
  core_clock(CLOCK_CRYSTAL);
  adc_open();
  uint32_t since = gpt_microseconds();
  gpt_start(0, GPT_HZ / 4, true, on_timer);
  for (unsigned reported = 0;;) {
    core_sleep();
    if (count - reported < SAMPLES) continue;
    reported = count;
    uint32_t start = gpt_microseconds();
    core_clock(CLOCK_PLL);
    report();
    core_clock(CLOCK_CRYSTAL);
    awake += gpt_microseconds() - start;
    uint32_t now = gpt_microseconds();
    printf("awake for %.3f per mille\n", (double)((float)awake * 1000.0f / (float)(now - since)));
    since = now;
    awake = 0;
  }
}

/* A real-time app without an operating system: interrupts do the work, the core sleeps in between. */
#include <hw/hardware.h>
#include <realtime/gpio.h>
#include <realtime/gpt.h>
#include <stdio.h>

static volatile bool is_lit;
static volatile unsigned turns;

static void on_timer(void) {
  is_lit = !is_lit;
  turns++;
  gpio_write(APP_LED, !is_lit);
}

int main(void) {
  printf("{{NAME}} starts\n");
  /* A low level lights it. */
  gpio_output(APP_LED, true);
  gpio_input(APP_BUTTON, GPIO_PULL_UP);
  gpt_start(0, GPT_HZ / 4, true, on_timer);
  bool was_pressed = false;
  for (;;) {
    /* The timer wakes the core, four times a second. */
    core_sleep();
    bool is_pressed = !gpio_read(APP_BUTTON);
    if (is_pressed && !was_pressed) printf("pressed after %u turns\n", turns);
    was_pressed = is_pressed;
  }
}

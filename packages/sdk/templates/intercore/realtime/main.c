/* Sends back whatever a high-level app says, in capitals, and toggles GPIO 8 with each message. */
#include <realtime/gpio.h>
#include <realtime/intercore.h>
#include <stdio.h>

static volatile bool has_message;

static void on_message(void) { has_message = true; }

static void answer(void) {
  static uint8_t message[INTERCORE_LONGEST];
  static bool is_lit;
  for (;;) {
    struct component_id from;
    size_t bytes = sizeof message;
    if (intercore_receive(&from, message, &bytes) != INTERCORE_OK) return;
    is_lit = !is_lit;
    gpio_write(8, is_lit);
    for (size_t at = 0; at < bytes; at++)
      if (message[at] >= 'a' && message[at] <= 'z') message[at] -= 'a' - 'A';
    while (intercore_send(&from, message, bytes) == INTERCORE_FULL) {
    }
  }
}

int main(void) {
  gpio_output(8, false);
  if (intercore_open(on_message) != INTERCORE_OK) return 1;
  printf("the channel is open\n");
  for (;;) {
    answer();
    /* Masked, so that no message comes between looking and sleeping: a pending interrupt wakes the core all the same. */
    uint32_t primask = core_mask();
    if (!has_message) core_sleep();
    has_message = false;
    core_unmask(primask);
  }
}

/* Sends back every message to who sent it, in reverse, and says which results it met. */
#include <realtime/intercore.h>
#include <stdio.h>

static volatile bool has_message;
static void on_message(void) { has_message = true; }

int main(void) {
  static uint8_t message[INTERCORE_LONGEST + 1];
  printf("open %d\n", intercore_open(on_message));
  for (;;) {
    struct component_id from;
    size_t bytes = INTERCORE_LONGEST;
    enum intercore_result result = intercore_receive(&from, message, &bytes);
    if (result == INTERCORE_EMPTY) {
      uint32_t mask = core_mask();
      if (!has_message) core_sleep();
      has_message = false;
      core_unmask(mask);
      continue;
    }
    if (result != INTERCORE_OK) {
      printf("receive %x\n", result);
      for (;;) core_sleep();
    }
    for (size_t i = 0; i < bytes / 2; i++) {
      uint8_t byte = message[i];
      message[i] = message[bytes - 1 - i];
      message[bytes - 1 - i] = byte;
    }
    result = intercore_send(&from, message, bytes);
    printf("%08x %u sent %x\n", (unsigned)from.first, (unsigned)bytes, result);
    if (bytes == INTERCORE_LONGEST)
      printf("too large %x\n", intercore_send(&from, message, INTERCORE_LONGEST + 1));
  }
}

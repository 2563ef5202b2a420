/* A real-time app on FreeRTOS: one task looks at the button, one turns the LED; a queue is between them. */
#include <FreeRTOS.h>
#include <hw/hardware.h>
#include <queue.h>
#include <realtime/gpio.h>
#include <stdio.h>
#include <task.h>

static QueueHandle_t presses;

static void watch_button(void *context) {
  (void)context;
  bool was_pressed = false;
  for (uint32_t count = 0;;) {
    vTaskDelay(pdMS_TO_TICKS(20));
    bool is_pressed = !gpio_read(APP_BUTTON);
    if (is_pressed && !was_pressed) {
      count++;
      xQueueSend(presses, &count, portMAX_DELAY);
    }
    was_pressed = is_pressed;
  }
}

static void turn_led(void *context) {
  (void)context;
  uint32_t milliseconds = 250;
  for (bool is_lit = true;; is_lit = !is_lit) {
    gpio_write(APP_LED, !is_lit);
    uint32_t count;
    if (xQueueReceive(presses, &count, pdMS_TO_TICKS(milliseconds)) != pdTRUE) continue;
    milliseconds = milliseconds == 250 ? 100 : 250;
    printf("pressed %u times, now every %u ms\n", (unsigned)count, (unsigned)milliseconds);
  }
}

int main(void) {
  printf("{{NAME}} starts\n");
  /* A low level lights it. */
  gpio_output(APP_LED, true);
  gpio_input(APP_BUTTON, GPIO_PULL_UP);
  presses = xQueueCreate(4, sizeof(uint32_t));
  xTaskCreate(watch_button, "button", 256, NULL, 2, NULL);
  xTaskCreate(turn_led, "led", 256, NULL, 1, NULL);
  vTaskStartScheduler();
  /* There was no memory for the idle task: configTOTAL_HEAP_SIZE. */
  failure_raise(FAILURE_ASSERT, "vTaskStartScheduler", __LINE__);
}

/* A real-time app of tasks: one looks at the button, one turns the LED; a queue is between them. */
#include <hw/hardware.h>
#include <realtime/gpio.h>
#include <realtime/rtos.h>
#include <stdio.h>

RTOS_STACK(button_stack, 1024);
RTOS_STACK(led_stack, 1024);
static struct task button_task, led_task;
static struct queue presses;
static uint32_t storage[4];

static void watch_button(void *context) {
  (void)context;
  bool was_pressed = false;
  for (uint32_t count = 0;;) {
    task_sleep(20);
    bool is_pressed = !gpio_read(APP_BUTTON);
    if (is_pressed && !was_pressed) {
      count++;
      queue_send(&presses, &count, RTOS_FOREVER);
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
    /* Until somebody presses the button, or the time is over. */
    if (queue_receive(&presses, &count, milliseconds) != RTOS_OK) continue;
    milliseconds = milliseconds == 250 ? 100 : 250;
    printf("pressed %u times, now every %u ms\n", (unsigned)count, (unsigned)milliseconds);
  }
}

int main(void) {
  printf("{{NAME}} starts\n");
  /* A low level lights it. */
  gpio_output(APP_LED, true);
  gpio_input(APP_BUTTON, GPIO_PULL_UP);
  queue_init(&presses, storage, sizeof *storage, 4);
  task_create(&button_task, "button", watch_button, 0, 2, button_stack, sizeof button_stack);
  task_create(&led_task, "led", turn_led, 0, 1, led_stack, sizeof led_stack);
  rtos_start();
}

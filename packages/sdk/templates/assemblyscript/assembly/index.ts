// Blinks an LED; the button makes it blink faster.
import { exit, Gpio, log, sleep } from 'sevenfold';
import { APP_BUTTON, APP_LED } from './hardware';

/** Half periods, and how often the button is looked at, in milliseconds. */
const PACES: StaticArray<i32> = [500, 250, 125];
const POLL: i32 = 5;

log('{{NAME}} started');
const led = Gpio.openAsOutput(APP_LED, 1);
const button = Gpio.openAsInput(APP_BUTTON);
if (led.errno != 0 || button.errno != 0) {
  log('LED: errno ' + led.errno.toString() + ', button: errno ' + button.errno.toString());
  exit(1);
}

let pace = 0;
let waited = 0;
let isLit = false;
let lastButton = 1;
while (true) {
  sleep(POLL);
  waited += POLL;
  const level = button.value;
  if (level == 0 && lastButton == 1) {
    pace = (pace + 1) % PACES.length;
    log('blinking every ' + (2 * PACES[pace]).toString() + ' ms');
  }
  lastButton = level;
  if (waited >= PACES[pace]) {
    waited = 0;
    isLit = !isLit;
    // The LED is lit while the pin is low.
    led.set(isLit ? 0 : 1);
  }
}

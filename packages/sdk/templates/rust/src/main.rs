//! Blinks an LED; the button makes it blink faster.
mod hardware;

use sevenfold::{log, Gpio};
use std::{io::Result, thread::sleep, time::Duration};

/// Half periods, and how often the button is looked at, in milliseconds.
const PACES: [u64; 3] = [500, 250, 125];
const POLL: u64 = 5;

fn main() -> Result<()> {
    log("{{NAME}} started");
    let led = Gpio::open_as_output(hardware::APP_LED, true)?;
    let button = Gpio::open_as_input(hardware::APP_BUTTON)?;
    let (mut pace, mut waited, mut is_lit, mut was_high) = (0, 0, false, true);
    loop {
        sleep(Duration::from_millis(POLL));
        waited += POLL;
        let is_high = button.is_high()?;
        if was_high && !is_high {
            pace = (pace + 1) % PACES.len();
            log(&format!("blinking every {} ms", 2 * PACES[pace]));
        }
        was_high = is_high;
        if waited >= PACES[pace] {
            waited = 0;
            is_lit = !is_lit;
            // The LED is lit while the pin is low.
            led.set(!is_lit)?;
        }
    }
}

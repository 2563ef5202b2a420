//! What an app in Rust calls beside its standard library: the host's interface, of which `lib/host.h` is the same in C.
//! Clocks, sleeping, files and the log by `println!` are the standard library's, over WASI.

use std::io::{Error, Result};

#[link(wasm_import_module = "sevenfold")]
extern "C" {
    fn log_write(text: *const u8, length: usize) -> i32;
    fn gpio_open(pin: i32, is_output: i32, mode: i32, value: i32, out: *mut i32) -> i32;
    fn gpio_get(descriptor: i32, out: *mut u8) -> i32;
    fn gpio_set(descriptor: i32, value: i32) -> i32;
}

fn checked(errno: i32) -> Result<()> {
    if errno == 0 {
        Ok(())
    } else {
        Err(Error::from_raw_os_error(errno))
    }
}

/// Writes a line to the log.
pub fn log(text: &str) {
    let line = format!("{text}\n");
    // SAFETY: the host reads so many bytes from there, and keeps nothing.
    unsafe { log_write(line.as_ptr(), line.len()) };
}

/// A pin of the manifest.
pub struct Gpio {
    descriptor: i32,
}

impl Gpio {
    fn open(pin: i32, is_output: i32, value: i32) -> Result<Gpio> {
        let mut descriptor = -1;
        // SAFETY: the host writes one number there.
        checked(unsafe { gpio_open(pin, is_output, 0, value, &mut descriptor) })?;
        Ok(Gpio { descriptor })
    }

    /// Opens a pin to drive it, with its first level.
    pub fn open_as_output(pin: i32, is_high: bool) -> Result<Gpio> {
        Gpio::open(pin, 1, is_high as i32)
    }

    /// Opens a pin to read it.
    pub fn open_as_input(pin: i32) -> Result<Gpio> {
        Gpio::open(pin, 0, 0)
    }

    /// Whether the pin is high.
    pub fn is_high(&self) -> Result<bool> {
        let mut level = 0;
        // SAFETY: the host writes one byte there.
        checked(unsafe { gpio_get(self.descriptor, &mut level) })?;
        Ok(level != 0)
    }

    /// Drives the pin.
    pub fn set(&self, is_high: bool) -> Result<()> {
        // SAFETY: nothing of ours is touched.
        checked(unsafe { gpio_set(self.descriptor, is_high as i32) })
    }
}

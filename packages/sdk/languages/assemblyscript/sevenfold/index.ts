// What an app in AssemblyScript calls: the host's interface, of which lib/host.h is the same in C.

// @ts-ignore: decorator
@external("sevenfold", "log_write")
declare function hostLog(text: usize, length: usize): i32;
// @ts-ignore: decorator
@external("sevenfold", "gpio_open")
declare function hostGpioOpen(pin: i32, isOutput: i32, mode: i32, value: i32, out: usize): i32;
// @ts-ignore: decorator
@external("sevenfold", "gpio_get")
declare function hostGpioGet(descriptor: i32, out: usize): i32;
// @ts-ignore: decorator
@external("sevenfold", "gpio_set")
declare function hostGpioSet(descriptor: i32, value: i32): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "clock_time_get")
declare function hostClock(clock: i32, precision: i64, out: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "poll_oneoff")
declare function hostPoll(subscriptions: usize, events: usize, count: i32, out: usize): i32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function hostExit(code: i32): void;

const MONOTONIC: i32 = 1;
const NANOSECONDS: u64 = 1_000_000;
/** A subscription to a clock and the event that answers it (wasi_snapshot_preview1.witx). */
const subscription = memory.data(48, 8);
const event = memory.data(32, 8);
const result = memory.data(8, 8);

/** Writes a line to the log. */
export function log(text: string): void {
  const bytes = String.UTF8.encode(text + "\n");
  hostLog(changetype<usize>(bytes), bytes.byteLength);
}

/** Milliseconds since the device was powered. */
export function uptime(): u64 {
  hostClock(MONOTONIC, 0, result);
  return load<u64>(result) / NANOSECONDS;
}

/** Waits. */
export function sleep(milliseconds: u64): void {
  memory.fill(subscription, 0, 48);
  store<u32>(subscription, MONOTONIC, 16);
  store<u64>(subscription, milliseconds * NANOSECONDS, 24);
  hostPoll(subscription, event, 1, result);
}

/** Ends the app. */
export function exit(code: i32): void {
  hostExit(code);
}

/** A pin of the manifest. `errno` is 0 where it could be opened, else a value of wasi-libc: 2 is EACCES. */
export class Gpio {
  private constructor(readonly descriptor: i32, readonly errno: i32) {}

  private static open(pin: i32, isOutput: i32, value: i32): Gpio {
    const errno = hostGpioOpen(pin, isOutput, 0, value, result);
    return new Gpio(errno == 0 ? load<i32>(result) : -1, errno);
  }

  static openAsOutput(pin: i32, value: i32): Gpio {
    return Gpio.open(pin, 1, value);
  }

  static openAsInput(pin: i32): Gpio {
    return Gpio.open(pin, 0, 0);
  }

  /** The level, 0 or 1; -1: it cannot be read. */
  get value(): i32 {
    return hostGpioGet(this.descriptor, result) == 0 ? <i32>load<u8>(result) : -1;
  }

  /** Sets the level; false: it cannot be set. */
  set(value: i32): bool {
    return hostGpioSet(this.descriptor, value) == 0;
  }
}

/** What the language calls where it gives up. */
export function fail(message: string | null, file: string | null, line: u32, column: u32): void {
  const said = message === null ? "abort" : message;
  log((file === null ? "" : file) + ":" + line.toString() + ":" + column.toString() + ": " + said);
  unreachable();
}

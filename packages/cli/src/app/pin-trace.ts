import type { VirtualDevice } from '@sevenfold/device';

/** A line of a timing diagram. */
interface Signal {
  readonly name: string;
  readonly pin: number;
}

interface Change {
  /** Nanoseconds since the trace began. */
  readonly time: number;
  readonly signal: number;
  readonly level: 0 | 1;
}

/** Changes that a trace holds: what comes then is left out. */
const MOST_CHANGES = 1_000_000;
const NS_PER_MS = 1_000_000;
/** Printable characters that name signals in the file. */
const FIRST_CODE = 33;
const CODES = 94;

/** The short name of a signal: digits of base 94. */
function codeOf(index: number): string {
  const code = String.fromCharCode(FIRST_CODE + (index % CODES));
  return index < CODES ? code : codeOf(Math.floor(index / CODES) - 1) + code;
}

/** A name as value change dumps have them: no spaces. */
const plainName = (name: string): string => name.replaceAll(/[^\w$.[\]]/g, '_');

/**
 * Records what pins do, for a value change dump (IEEE 1364-2005, 18): any waveform viewer opens it. Pins that a
 * real-time core drives are recorded at its own time, to the instruction; the others when the board sees them.
 */
export class PinTrace {
  readonly #name: string;
  readonly #signals: readonly Signal[];
  readonly #initial: readonly (0 | 1)[];
  readonly #changes: Change[] = [];
  #begin: number | null = null;

  /** `name`: of the scope that the signals are in. */
  constructor(name: string, device: VirtualDevice, signals: readonly Signal[]) {
    this.#name = name;
    this.#signals = signals;
    this.#initial = signals.map(({ pin }) => device.pinLevel(pin));
    for (const [signal, { pin }] of signals.entries()) {
      device.onPin(pin, (level, milliseconds) => {
        if (this.#changes.length >= MOST_CHANGES) return;
        this.#begin ??= milliseconds;
        const time = Math.max(0, Math.round((milliseconds - this.#begin) * NS_PER_MS));
        this.#changes.push({ time, signal, level });
      });
    }
  }

  /** The dump of what was recorded, as text; time begins with the first change. */
  toString(): string {
    const lines = [
      '$version sevenfold app run $end',
      '$timescale 1 ns $end',
      `$scope module ${plainName(this.#name)} $end`,
      ...this.#signals.map(({ name }, index) => `$var wire 1 ${codeOf(index)} ${plainName(name)} $end`),
      '$upscope $end',
      '$enddefinitions $end',
      '$dumpvars',
      ...this.#initial.map((level, index) => `${level}${codeOf(index)}`),
      '$end',
    ];
    let now = -1;
    // A core's time may be a little behind the board's.
    for (const { time, signal, level } of this.#changes.toSorted((a, b) => a.time - b.time)) {
      if (time !== now) lines.push(`#${time}`);
      now = time;
      lines.push(`${level}${codeOf(signal)}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

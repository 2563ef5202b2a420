import type { Peripheral } from '../bus.ts';
import { SiliconError } from '../errors.ts';
import type { CoreHostParts } from './core-host.ts';

/** What comes to a core from outside without having been asked for. */
export type CoreInput =
  | { readonly kind: 'line'; readonly line: number; readonly isUp: boolean }
  | { readonly kind: 'pin'; readonly pin: number; readonly level: 0 | 1 }
  | { readonly kind: 'request'; readonly request: number; readonly isHigh: boolean }
  | { readonly kind: 'debugInput'; readonly bytes: Uint8Array }
  | { readonly kind: 'load'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'register'; readonly index: number; readonly value: number }
  | { readonly kind: 'start'; readonly vectors: number }
  | { readonly kind: 'stop' };

/** What a tape keeps at most, answers and inputs together: beyond that nothing can be played back any more. */
const MOST_ENTRIES = 4_000_000;
/** In place of a bus's answer: the access was refused. */
const REFUSED = NaN;

/**
 * Everything that a core was told, in order: what its bus answered, and what came by itself, at which of its
 * instructions. A core is deterministic, so another one that is told the same becomes the same: that is how a
 * debugger goes back in time.
 */
export class CoreTape {
  readonly #answers: number[] = [];
  readonly #inputs: { readonly at: number; readonly input: CoreInput }[] = [];
  /** What came by itself while the bus was being asked, by the number of the answer. */
  readonly #sideInputs = new Map<number, CoreInput[]>();
  /** Numbers of the answers that are being given. */
  readonly #asked: number[] = [];
  #count = 0;
  #resetCause: CoreHostParts['resetCause'];

  /** Whether all that has happened is on it. */
  get isWhole(): boolean {
    return this.#count <= MOST_ENTRIES;
  }

  /** Notes what came by itself at this instruction of the core. */
  note(at: number, input: CoreInput): void {
    if (!this.#hasRoom()) return;
    const asked = this.#asked.at(-1);
    if (asked === undefined) {
      this.#inputs.push({ at, input });
      return;
    }
    const here = this.#sideInputs.get(asked);
    if (here === undefined) this.#sideInputs.set(asked, [input]);
    else here.push(input);
  }

  /** A core's surroundings, with all that they answer kept. */
  record(parts: CoreHostParts): CoreHostParts {
    const { bus, mailboxes } = parts;
    this.#resetCause = parts.resetCause;
    const peripheral = (device: Peripheral): Peripheral => ({
      read: (offset) => this.#keep(() => device.read(offset)),
      write: (offset, value) => this.#tell(() => device.write(offset, value)),
      reset: () => device.reset(),
    });
    return {
      ...parts,
      bus: {
        read: (address, size) => this.#keep(() => bus.read(address, size)),
        write: (address, size, value) => this.#tell(() => bus.write(address, size, value)),
      },
      mailboxes: {
        application: peripheral(mailboxes.application),
        other: peripheral(mailboxes.other),
      },
    };
  }

  /** Surroundings that answer what the tape says, and hear nothing. `give` is told what came by itself. */
  play(give: (input: CoreInput) => void): TapePlayer {
    let next = 0;
    const answer = (): number => {
      const number = next++;
      const value = this.#answers[number];
      if (value === undefined) throw new RangeError('The core asks for what the tape does not tell.');
      for (const input of this.#sideInputs.get(number) ?? []) give(input);
      if (Number.isNaN(value)) throw new SiliconError('BusFault', 'Bus fault: as it was.');
      return value;
    };
    const silent = {
      read: () => answer(),
      write: () => void answer(),
    };
    const peripheral: Peripheral = { ...silent, reset() {} };
    let given = 0;
    return {
      parts: {
        bus: silent,
        mailboxes: { application: peripheral, other: peripheral },
        ...(this.#resetCause === undefined ? {} : { resetCause: this.#resetCause }),
        onDebugByte() {},
        onFailure() {},
      },
      nextAt: () => this.#inputs[given]?.at ?? Infinity,
      giveUntil: (now) => {
        for (let entry = this.#inputs[given]; entry !== undefined && entry.at <= now;) {
          given += 1;
          give(entry.input);
          entry = this.#inputs[given];
        }
      },
    };
  }

  #hasRoom(): boolean {
    this.#count += 1;
    if (this.isWhole) return true;
    // Half a tape is no use.
    this.#answers.length = 0;
    this.#inputs.length = 0;
    this.#sideInputs.clear();
    return false;
  }

  #tell(write: () => void): void {
    this.#keep(() => {
      write();
      return 0;
    });
  }

  #keep(ask: () => number): number {
    if (!this.#hasRoom()) return ask();
    const number = this.#answers.push(REFUSED) - 1;
    this.#asked.push(number);
    try {
      const value = ask();
      this.#answers[number] = value;
      return value;
    } finally {
      this.#asked.pop();
    }
  }
}

/** A tape that is being played to another core. */
export interface TapePlayer {
  readonly parts: CoreHostParts;
  /** The instruction at which something comes by itself next; `Infinity`: nothing will. */
  readonly nextAt: () => number;
  /** Gives what came up to this instruction. */
  readonly giveUntil: (now: number) => void;
}

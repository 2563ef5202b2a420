import type { Peripheral } from '../bus.ts';
import type { CoreResetCause } from '../peripherals/core-watchdog.ts';
import type { CoreBus } from './access.ts';
import type { CoreFailure } from './core-failure.ts';
import type { CoreOptions } from './core.ts';

/** What a core's surroundings give it, and want to hear. */
export interface CoreHostParts {
  /** Everything that is not the core's own. */
  readonly bus: CoreBus;
  /** The core's ends of the mailboxes with the application core and with the other real-time core. */
  readonly mailboxes: { readonly application: Peripheral; readonly other: Peripheral };
  readonly engine?: CoreOptions['engine'];
  /** Why the core is about to leave reset, as its watchdog will tell. */
  readonly resetCause?: CoreResetCause;
  /** A byte that has left the debug UART. */
  readonly onDebugByte: (byte: number) => void;
  /** Told once when the core has failed: it does not run any more. */
  readonly onFailure: (failure: CoreFailure) => void;
}

/** A core with everything that is its own, wherever it runs: in this thread, or in one of its own. */
export interface CoreHost {
  readonly state: 'off' | 'running' | 'failed';
  readonly failure: CoreFailure | null;
  /** How it came to be in reset, for the one that will be made in its place. */
  readonly resetCause: CoreResetCause;
  /** Puts bytes into TCM, SYSRAM or XIP. Throws `RangeError`. */
  load(address: number, bytes: Uint8Array): void;
  start(): void;
  stop(): void;
  setLine(line: number, isUp: boolean): void;
  /** A pin that the core may see has this level now. */
  pinChanged(pin: number, level: 0 | 1): void;
  /** A peripheral that the core may read asks for transfers by DMA, or does not any more; numbers are `REQUESTS`. */
  setRequest(request: number, isHigh: boolean): void;
  debugInput(bytes: Uint8Array): void;
  /** It is not needed any more. */
  end(): void;
}

/** Memory that a core shares with the application core, as both see it. */
export interface SharedWindow {
  readonly base: number;
  readonly bytes: Uint8Array;
}

/** Makes what runs a core of the chip; `window` is the memory that this core may share. */
export type MakeCoreHost = (parts: CoreHostParts, window: SharedWindow) => CoreHost;

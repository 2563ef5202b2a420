import type { Clock, Port, ResetReason } from '@sevenfold/formats';
import type { Chip } from '@sevenfold/silicon';
import type { BoardNetwork } from './network.ts';
import type { Wiring } from './stage-loader.ts';

/** What a virtual board is made of. */
export interface VirtualBoardOptions {
  readonly chip: Chip;
  readonly wiring: Wiring;
  /** Time for `inline` wiring, such as a virtual one; absent: the host's, on which every other wiring always runs. */
  readonly clock?: Clock;
  /** The program of `stage-worker.ts` as one plain script. `thread` starts sooner and smaller with it, `process` needs it. */
  readonly stageWorker?: string;
  /** Makes the board's network, anew at every power-on or reset: what was open before is closed. */
  network(): BoardNetwork;
}

/** How an attempt to boot ended. */
export type BootOutcome =
  /** Every stage resolved its `start`. `config` is what the ROM chose, `resets` how often it took another attempt. */
  | { readonly kind: 'running'; readonly config: 'current' | 'fallback'; readonly resets: number }
  /** A layer found nothing it may run, or failed; the last boot-log line names it. Nothing runs. */
  | { readonly kind: 'stopped'; readonly code: string; readonly message: string }
  /** Power went (a fault plan's cut, or `powerOff`) before the device was up. */
  | { readonly kind: 'powerLost' };

/** A virtual chip on a board: power, reset, wires, and what one could attach to. */
export interface VirtualBoard {
  readonly chip: Chip;
  /** Powers on and resolves when the device is up, has stopped, or lost power. */
  powerOn(): Promise<BootOutcome>;
  /** Takes the power away: whatever runs, stops where it is. */
  powerOff(): Promise<void>;
  /**
   * The service port: resets with the recovery strap held, hands the mask ROM a set of signed images, one of each system
   * type, and boots what it wrote. Works in any state of flash; only signatures decide. Rejects with what the set is
   * refused for, and then flash is as it was and the board off.
   */
  recover(untrustedSet: readonly Uint8Array[]): Promise<BootOutcome>;
  /** Pulls the WAKEUP pin: boots a device that is asleep, and does nothing to any other. */
  wake(): Promise<BootOutcome>;
  /** `asleep`: its software powered it down, everything is off but the real-time clock with its alarm. */
  readonly state: 'off' | 'booting' | 'running' | 'stopped' | 'asleep';
  /** How the last boot ended; null while none has. */
  readonly lastOutcome: BootOutcome | null;
  /**
   * The attached-device gateway: calls the services stage as caller `gateway` (`GATEWAY_CALLS`). While the device
   * boots or resets, a call waits for it. Rejects with `DeviceNotRunning`, or `StageStopped` if it resets meanwhile.
   */
  readonly gateway: Port;
  /** Lines of all layers since the board was made, the newest 4,000: `[ROM] …`, `[MONITOR] …`. */
  readonly bootLog: readonly string[];
  onLog(listener: (line: string) => void): () => void;
  /** Told of every reset with its reason, before the device boots again. */
  onReset(listener: (reason: ResetReason) => void): () => void;
  /** The level the chip drives on a pin, and every change of it with the time (ms, board's monotonic clock). */
  pinLevel(pin: number): 0 | 1;
  onPin(pin: number, listener: (level: 0 | 1, time: number) => void): () => void;
  /** Drives an input pin from outside: a button. */
  drivePin(pin: number, level: 0 | 1): void;
  /** To be told by a debugger that it holds the apps' threads, or has let them go: watchdogs wait meanwhile. */
  holdApps(isHeld: boolean): Promise<void>;
}

import type { Clock, PortHandler, Port, StageName } from '@sevenfold/formats';

/** How the layers of a device are wired: all in one thread, or a worker thread each. */
export type Wiring = 'inline' | 'thread';

/** What one stage is started with. The loader hands on nothing else. */
interface StageStart {
  readonly stage: StageName;
  /** UTF-8 of one script that assigns `globalThis.stage = { start }`. It imports nothing. */
  readonly bundle: Uint8Array;
  /** The ports this stage may call, by name: as `STAGE_PORTS` lists them. Answers are given by the board. */
  readonly ports: Readonly<Record<string, Port>>;
  readonly clock: DeviceClock;
  /** One line of the stage, already without its prefix; the board adds it, so that no stage can speak for another. */
  readonly log: (line: string) => void;
  /** Told once if the stage ends by itself after it was up: its thread died, or an error nobody caught. */
  readonly onEnd?: (reason: string) => void;
}

/** A running stage. */
export interface LoadedStage {
  /** Calls what the stage serves. `caller` is stamped here, by the wiring, and never by the caller itself. */
  readonly portFor: (caller: string) => Port;
  /** Ends the stage at once, whatever it does; calls that still wait reject with `StageStopped`. */
  readonly stop: () => Promise<void>;
}

/** Loads a stage bundle into a realm of its own and runs its `start`. */
export interface StageLoader {
  /** Resolves when the stage's `start` resolved. Rejects with `StageRefused` or `StageFailed`; then nothing is left running. */
  start(start: StageStart, onServing: (stage: LoadedStage) => void): Promise<LoadedStage>;
}

/** The clock of a device: as the stages see it, and set by the OS when it learnt the time. */
export interface DeviceClock extends Clock {
  /** Sets the wall clock, milliseconds since 1970; `monotonic` and sleepers are not touched. */
  set(milliseconds: number): void;
  /** Milliseconds that the wall clock is ahead of the clock underneath. */
  readonly offset: number;
  /** Told whenever the wall clock is set; returns the function that ends it. */
  onSet(listener: (offset: number) => void): () => void;
}

/** A handler as a port, with the caller stamped. */
export function portTo(handler: PortHandler, caller: string): Port {
  return { call: (method, ...args) => handler(caller, method, args) };
}

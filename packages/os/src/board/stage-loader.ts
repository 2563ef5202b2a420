import type { Clock, PortHandler, Port, StageName } from '@sevenfold/formats';

/** How the layers of a device are wired: all in one thread, a worker thread each, or a process each (`docs/wiring.md`). */
export const WIRINGS = ['inline', 'thread', 'process'] as const;
export type Wiring = (typeof WIRINGS)[number];

/** What one stage is started with. The loader hands on nothing else. */
export interface StageStart {
  readonly stage: StageName;
  /** UTF-8 of one script that assigns `globalThis.stage = { start }`. It imports nothing. */
  readonly bundle: Uint8Array;
  /** The ports this stage may call, by name: as `STAGE_PORTS` lists them. */
  readonly ports: Readonly<Record<string, PortSource>>;
  readonly clock: DeviceClock;
  /** One line of the stage, already without its prefix; the board adds it, so that no stage can speak for another. */
  readonly log: (line: string) => void;
  /** Told once if the stage ends by itself after it was up: its thread died, or an error nobody caught. */
  readonly onEnd?: (reason: string) => void;
}

/** Who answers at a port: the board itself, or another stage. */
export type PortSource = Port | StageLink;

/** A port to a running stage, with the caller stamped. Where both run as threads, they speak without the board. */
export interface StageLink {
  readonly stage: LoadedStage;
  readonly caller: string;
}

/** A running stage. */
export interface LoadedStage {
  /** Calls what the stage serves. `caller` is stamped here, by the wiring, and never by the caller itself. */
  readonly portFor: (caller: string) => Port;
  /** Ends the stage at once, whatever it does; calls that still wait reject with `StageStopped`. */
  readonly stop: () => Promise<void>;
  /** Ms of processor time that it has used; null where that is not known apart from others. */
  readonly cpuTime: () => Promise<number | null>;
}

/** Loads a stage bundle into a realm of its own and runs its `start`. */
export interface StageLoader {
  /** What holds a stage besides its realm, outermost first: for the board's log. */
  readonly walls: readonly string[];
  /** Says which stages will be started soon, so that what is the same for all of them can be made ready meanwhile. */
  prepare(stages: readonly StageName[]): void;
  /** Lets go of what was made ready and not used. */
  release(): Promise<void>;
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

/** The port of a source, as any loader can use it. */
export function portOf(source: PortSource): Port {
  return 'stage' in source ? source.stage.portFor(source.caller) : source;
}

/**
 * The one way in which two layers of a device, or a layer and its hardware, speak to each other:
 * a call by name with plain values, answered by a promise. A port may be a function call, a thread's
 * message channel or a process's pipe; neither side can tell (architecture.md §3.6).
 */

/** What may cross a port: plain data only, copied on the way. `undefined` is not a value. */
export type PortValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PortValue[]
  | { readonly [key: string]: PortValue };

/** The calling end. A refused call rejects with an `Error` whose `code` is the callee's error code. */
export interface Port {
  call(method: string, ...args: readonly PortValue[]): Promise<PortValue>;
}

/**
 * The serving end. `caller` is stamped by the wiring, never by the caller itself:
 * `monitor`, `kernel`, `services`, `gateway` or `compartment:<n>`.
 */
export type PortHandler = (caller: string, method: string, args: readonly PortValue[]) => Promise<PortValue>;

/** Time as a layer sees it: handed in, so that a whole device can run on virtual time. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds since some fixed point; never goes back. */
  monotonic(): number;
  /** Resolves when `milliseconds` have passed on this clock. */
  sleep(milliseconds: number): Promise<void>;
}

/** The whole world of a stage bundle: it has nothing else (architecture.md §3.2). */
export interface StageHandle {
  readonly clock: Clock;
  /** One line of the device's boot and service log (the service UART). */
  log(line: string): void;
  /** The ports this stage may call, by name: see `StagePorts`. */
  readonly ports: { readonly [name: string]: Port };
  /** Answers calls from the layer above (and from `gateway` for services). Called once, in `start`. */
  serve(handler: PortHandler): void;
}

/** What a stage bundle exports: it resolves when the stage is up and has started the next one. */
export interface StageModule {
  start(handle: StageHandle): Promise<void>;
}

/** The stages that are loaded from flash, in boot order, and the ports each is handed. */
export const STAGE_PORTS = {
  pluton: ['hardware'],
  monitor: ['hardware', 'pluton'],
  kernel: ['hardware', 'monitor'],
  services: ['kernel'],
  compartment: ['kernel', 'hardware'],
} as const satisfies Record<string, readonly string[]>;
export type StageName = keyof typeof STAGE_PORTS;

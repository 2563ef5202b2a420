import { Worker } from 'node:worker_threads';
import { SiliconError } from '../errors.ts';
import type { CoreResetCause } from '../peripherals/core-watchdog.ts';
import type { CoreFailure } from './core-failure.ts';
import type { CoreHost, CoreHostParts, MakeCoreHost, SharedWindow } from './core-host.ts';
import {
  ANSWER,
  LINK,
  LINK_BITS,
  setBit,
  type CoreThreadData,
  type FromCore,
  type ToCore,
} from './core-link.ts';
import { offsetOf } from './state.ts';

const BLOCK_BITS = 16;
const MAILBOX = { application: 0x2105, other: 0x2106 } as const;
/** MiB of heap: the core's memories are not in it. */
const HEAP = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 } as const;

/**
 * A core in a thread of its own, on the host's time: its instructions run there, every access to anything that is not
 * its own is judged and done here. `program` gives the bundled program of `core-worker.ts`, when a core is first
 * needed; without it the thread translates that file by itself, which takes ten times as long.
 */
export const threadedCores =
  (program: (() => Promise<string>) | null = null): MakeCoreHost =>
  (parts, window) =>
    new ThreadedCore(parts, window, program);

/** What is left to tell of a core whose thread is gone. */
const NOTHING_KNOWN: CoreFailure = {
  kind: 'lockup',
  fault: null,
  registers: Array.from({ length: 16 }, () => 0),
  xpsr: 0,
  msp: 0,
  psp: 0,
  control: 0,
  stack: new Uint8Array(0),
  cfsr: 0,
  hfsr: 0,
  mmfar: 0,
  bfar: 0,
  note: null,
  time: 0,
};

class ThreadedCore implements CoreHost {
  readonly #parts: CoreHostParts;
  #worker: Worker | null = null;
  /** Said before there was a thread. */
  readonly #waiting: ToCore[] = [];
  readonly #link = new Int32Array(new SharedArrayBuffer(4 * LINK.words));
  #state: CoreHost['state'] = 'off';
  #failure: CoreFailure | null = null;
  #resetCause: CoreResetCause = 'start';
  #hasEnded = false;

  constructor(parts: CoreHostParts, window: SharedWindow, program: (() => Promise<string>) | null) {
    this.#parts = parts;
    const data: CoreThreadData = {
      link: this.#link,
      window: window.bytes,
      windowBase: window.base,
      resetCause: parts.resetCause ?? 'start',
      engine: parts.engine ?? null,
    };
    if (program === null) this.#run(null, data);
    else {
      program().then(
        (text) => this.#run(text, data),
        () => this.#die(),
      );
    }
  }

  /** Starts the thread, and says to it what has been said already. */
  #run(program: string | null, workerData: CoreThreadData): void {
    if (this.#hasEnded) return;
    const worker = new Worker(program ?? new URL('./core-worker.ts', import.meta.url), {
      eval: program !== null,
      name: 'real-time core',
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: HEAP,
      workerData,
    });
    // A core that runs does not keep the process alive.
    worker.unref();
    worker.on('message', (message: FromCore) => this.#take(message));
    worker.on('error', () => this.#die());
    worker.on('exit', () => this.#die());
    this.#worker = worker;
    for (const message of this.#waiting.splice(0)) this.#say(message);
  }

  /** The thread is gone, by its own defect: so is the core, and its system is told. */
  #die(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const wasRunning = this.#state === 'running';
    this.#failure ??= NOTHING_KNOWN;
    this.#state = 'failed';
    if (wasRunning) this.#parts.onFailure(this.#failure);
  }

  get state(): CoreHost['state'] {
    return this.#state;
  }

  get failure(): CoreFailure | null {
    return this.#failure;
  }

  get resetCause(): CoreResetCause {
    return this.#resetCause;
  }

  load(address: number, bytes: Uint8Array): void {
    const last = offsetOf(address + Math.max(1, bytes.length) - 1);
    if (offsetOf(address) < 0 || last - offsetOf(address) !== Math.max(1, bytes.length) - 1)
      throw new RangeError(`${bytes.length} bytes at ${address} are not in one memory of the core.`);
    this.#say({ kind: 'load', address, bytes: bytes.slice() });
  }

  start(): void {
    this.#failure = null;
    this.#state = 'running';
    this.#say({ kind: 'start', generation: this.#nextGeneration() });
  }

  stop(): void {
    this.#nextGeneration();
    if (this.#state === 'running') this.#state = 'off';
    this.#failure = null;
    this.#say({ kind: 'stop' });
  }

  setLine(line: number, isUp: boolean): void {
    if (line < LINK_BITS && setBit(this.#link, LINK.lines, line, isUp)) this.#ring();
  }

  setRequest(request: number, isHigh: boolean): void {
    if (request < LINK_BITS && setBit(this.#link, LINK.requests, request, isHigh)) this.#ring();
  }

  pinChanged(pin: number, level: 0 | 1): void {
    this.#say({ kind: 'pin', pin, level });
  }

  debugInput(bytes: Uint8Array): void {
    this.#say({ kind: 'input', bytes: bytes.slice() });
  }

  end(): void {
    this.#hasEnded = true;
    this.#nextGeneration();
    this.#state = 'off';
    void this.#worker?.terminate();
  }

  #nextGeneration(): number {
    return Atomics.add(this.#link, LINK.generation, 1) + 1;
  }

  #say(message: ToCore): void {
    if (this.#hasEnded) return;
    if (this.#worker === null) {
      this.#waiting.push(message);
      return;
    }
    this.#worker.postMessage(message, []);
    this.#ring();
  }

  #ring(): void {
    Atomics.add(this.#link, LINK.bell, 1);
    Atomics.notify(this.#link, LINK.bell);
  }

  #take(message: FromCore): void {
    const isCurrent =
      !this.#hasEnded &&
      this.#state === 'running' &&
      message.generation === Atomics.load(this.#link, LINK.generation);
    switch (message.kind) {
      case 'read':
      case 'write':
        this.#access(message, isCurrent);
        return;
      case 'output':
        if (isCurrent) for (const byte of message.bytes) this.#parts.onDebugByte(byte);
        return;
      case 'failure':
        if (!isCurrent) return;
        this.#state = 'failed';
        this.#failure = message.failure;
        this.#resetCause = message.resetCause;
        this.#parts.onFailure(message.failure);
        return;
      default:
        message satisfies never;
    }
  }

  /** Does an access for the core, if it is still the same program that asks, and lets it go on. */
  #access(message: FromCore & { readonly kind: 'read' | 'write' }, isCurrent: boolean): void {
    let answer: number = ANSWER.refused;
    try {
      if (isCurrent) {
        Atomics.store(this.#link, LINK.value, this.#perform(message));
        answer = ANSWER.done;
      }
    } catch (error) {
      if (!(error instanceof SiliconError) || error.code !== 'BusFault') throw error;
    } finally {
      Atomics.store(this.#link, LINK.answer, answer);
      Atomics.notify(this.#link, LINK.answer);
    }
  }

  #perform(message: FromCore & { readonly kind: 'read' | 'write' }): number {
    const { address } = message;
    const { mailboxes, bus } = this.#parts;
    const block = address >>> BLOCK_BITS;
    const mailbox =
      block === MAILBOX.application
        ? mailboxes.application
        : block === MAILBOX.other
          ? mailboxes.other
          : null;
    if (mailbox !== null) {
      const offset = address & 0xffff;
      if (message.kind === 'read') return mailbox.read(offset) | 0;
      mailbox.write(offset, message.value >>> 0);
      return 0;
    }
    if (message.kind === 'read') return bus.read(address, message.size) | 0;
    bus.write(address, message.size, message.value);
    return 0;
  }
}

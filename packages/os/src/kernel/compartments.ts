import type { AppMemory, CoreDump } from '@sevenfold/formats';
import { EventQueue } from './event-queue.ts';
import type { HighLevelApplication } from './application-image.ts';

/** Lines of an app's log that travel with the report of its death, and characters of each. */
const REPORT_LINES = 20;
const REPORT_CHARACTERS = 256;

/** How an app ended. */
export type ApplicationEnd =
  | { readonly kind: 'exit'; readonly exitCode: number }
  | {
      readonly kind: 'trap';
      readonly trap: string;
      readonly frames: readonly { readonly function: number; readonly offset: number }[];
      /** Of a real-time core. */
      readonly core?: CoreDump;
      /** Of an app in a compartment, as its program tells it. */
      readonly memory?: AppMemory;
    };

/** One run of one app: what it holds, and what would be told of its death. */
export class Compartment {
  readonly id: number;
  readonly application: HighLevelApplication;
  /** Monotonic ms. */
  startedAt: number;
  /** Roots that it judges its servers by, DER; null: the device's. */
  tlsRoots: readonly Uint8Array[] | null = null;
  readonly connections = new Set<number>();
  /** Connections that are being opened: they count as well. */
  connecting = 0;
  /** What the kernel has to tell it. */
  readonly events = new EventQueue();
  /** It asked to be told of SIGTERM: it gets it, and a moment, before its thread is ended. */
  handlesSignals = false;
  /** It was asked to end: its end is neither a failure nor a reason to start it again. */
  isTerminating = false;
  /** Monotonic ms by which it wanted to say that it is alive; null: it did not ask to be watched. */
  watchdogDue: number | null = null;
  /** Monotonic ms since which a debugger holds its thread; null: it runs. */
  heldSince: number | null = null;
  /** Resolves when it has ended. */
  readonly gone: Promise<void>;
  readonly #leave: () => void;
  /** Once set, what it holds has been released: what opens for it from then on is closed again. */
  isEnded = false;
  #lines: string[] = [];

  constructor(id: number, application: HighLevelApplication, startedAt: number) {
    this.id = id;
    this.application = application;
    this.startedAt = startedAt;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    this.#leave = resolve;
  }

  /** It has ended, by itself or not. */
  leave(): void {
    this.#leave();
  }

  note(line: string): void {
    this.#lines.push(line.slice(0, REPORT_CHARACTERS).toWellFormed());
    if (this.#lines.length > REPORT_LINES) this.#lines = this.#lines.slice(-REPORT_LINES);
  }

  /** The last lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }
}

import type { PortValue, Problem } from '@sevenfold/formats';
import { BoardError, describeFailure, problemToError } from './board-error.ts';
import { copyPlainData } from './plain-data.ts';

/** One end of a channel: a `MessagePort` or a `Worker` between threads, a pair of streams between processes. */
export interface Endpoint {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** An end that can itself be handed to another thread, and that tells when its other end is gone. */
export interface HandedEndpoint extends Endpoint {
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
}

/** Hands the other side one end of another channel; whoever sends it transfers that end with it. */
export interface EndpointMessage<E = HandedEndpoint> {
  readonly kind: 'endpoint';
  /** What that channel is for, in words of those who link. */
  readonly target: string;
  readonly endpoint: E;
}

/** What goes over a channel. */
export type Message =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly target: string;
      readonly method: string;
      readonly args: PortValue;
    }
  | { readonly kind: 'notice'; readonly target: string; readonly method: string; readonly args: PortValue }
  | EndpointMessage
  | { readonly kind: 'answer'; readonly id: number; readonly value: PortValue }
  | { readonly kind: 'refusal'; readonly id: number; readonly problem: Problem };

/** Calls that one end may have waiting at the other: more than any stage has use for, few enough to hold. */
const MOST_WAITING = 4096;

/** Answers calls that come over a link. `target` is what the other end addresses: a port's name, or a caller to be. */
export type LinkHandler = (target: string, method: string, args: readonly PortValue[]) => Promise<PortValue>;

/**
 * Calls with answers over a channel, in both directions. Numbers join answers to calls; errors arrive with their
 * code, message, field and rule; values are copied, and what is no plain data is refused before it leaves. Between
 * threads both ends are our own code: what stages say has gone through their realm's membrane before. Between
 * processes `stream-endpoint.ts` lets only well-formed messages in. Who asks faster than it is answered is refused
 * with `TooManyCalls`.
 */
export class PortLink {
  readonly #endpoint: Endpoint;
  readonly #serve: LinkHandler;
  readonly #onInternal: (detail: string) => void;
  readonly #onEndpoint: (target: string, endpoint: HandedEndpoint) => void;
  readonly #pending = new Map<
    number,
    { readonly resolve: (value: PortValue) => void; readonly reject: (error: Error) => void }
  >();
  #next = 0;
  /** Calls of the other end that have not been answered yet. */
  #answering = 0;
  #closed: BoardError | null = null;

  /**
   * `onInternal` is told of errors whose detail the other end must not see, `onEndpoint` of ends of other channels
   * that the other end hands over; without it they are dropped.
   */
  constructor(
    endpoint: Endpoint,
    serve: LinkHandler,
    onInternal: (detail: string) => void,
    onEndpoint: (target: string, endpoint: HandedEndpoint) => void = () => {},
  ) {
    this.#endpoint = endpoint;
    this.#serve = serve;
    this.#onInternal = onInternal;
    this.#onEndpoint = onEndpoint;
    endpoint.on('message', (message) => this.#take(message as Message));
  }

  call(target: string, method: string, args: readonly PortValue[]): Promise<PortValue> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) throw this.#closed;
      const id = this.#next++;
      this.#post((buffers) => ({ kind: 'call', id, target, method, args: copyPlainData(args, buffers) }));
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** A call without an answer. */
  notify(target: string, method: string, args: readonly PortValue[]): void {
    if (this.#closed === null)
      this.#post((buffers) => ({ kind: 'notice', target, method, args: copyPlainData(args, buffers) }));
  }

  /** Rejects everything that still waits, and every later call; messages that still come are dropped. */
  close(reason: string): void {
    this.#closed ??= new BoardError('StageStopped', reason);
    for (const { reject } of this.#pending.values()) reject(this.#closed);
    this.#pending.clear();
  }

  #post(make: (buffers: ArrayBuffer[]) => Message): void {
    const buffers: ArrayBuffer[] = [];
    const message = make(buffers);
    this.#endpoint.postMessage(message, buffers);
  }

  #take(message: Message): void {
    if (this.#closed !== null) return;
    switch (message.kind) {
      case 'call':
        void this.#answer(message.id, message.target, message.method, message.args);
        break;
      case 'notice':
        this.#serve(message.target, message.method, message.args as readonly PortValue[]).catch(
          (error: unknown) =>
            this.#onInternal(describeFailure(error).detail ?? `notice ${message.method} was refused`),
        );
        break;
      case 'endpoint':
        this.#onEndpoint(message.target, message.endpoint);
        break;
      case 'answer':
        this.#pending.get(message.id)?.resolve(message.value);
        this.#pending.delete(message.id);
        break;
      case 'refusal':
        this.#pending.get(message.id)?.reject(problemToError(message.problem));
        this.#pending.delete(message.id);
        break;
      default:
        message satisfies never;
    }
  }

  async #answer(id: number, target: string, method: string, args: PortValue): Promise<void> {
    this.#answering += 1;
    try {
      if (this.#answering > MOST_WAITING) {
        throw new BoardError('TooManyCalls', `${MOST_WAITING} calls wait for their answer already.`, {
          rule: `at most ${MOST_WAITING} at a time`,
        });
      }
      const value = await this.#serve(target, method, args as readonly PortValue[]);
      if (this.#closed === null)
        this.#post((buffers) => ({ kind: 'answer', id, value: copyPlainData(value, buffers) }));
    } catch (error) {
      if (this.#closed !== null) return;
      const { problem, detail } = describeFailure(error);
      if (detail !== null) this.#onInternal(`internal error of ${target}.${method}: ${detail}`);
      this.#post(() => ({ kind: 'refusal', id, problem }));
    } finally {
      this.#answering -= 1;
    }
  }
}

import type { PortValue } from '@sevenfold/formats';
import { BoardError, describeFailure, problemToError } from './board-error.ts';
import { copyPlainData } from './plain-data.ts';

/** One end of a channel: a `MessagePort` or a `Worker` between threads, a pair of streams between processes. */
export interface Endpoint {
  postMessage(message: unknown, transfer: undefined): void;
  /** `transfer`: memory in `message` that leaves this thread with it. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** An end that can itself be handed to another thread, and that tells when its other end is gone. */
export interface HandedEndpoint extends Endpoint {
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
}

/** What a message is: its first part. Numbers and lists, since names would be written and read with every call. */
export const MESSAGE = { call: 0, notice: 1, answer: 2, refusal: 3, endpoint: 4 } as const;
type Kind = typeof MESSAGE;

/**
 * Hands the other side one end of another channel; whoever sends it transfers that end with it. `target` says what
 * the channel is for, in words of those who link.
 */
export type EndpointMessage<E = HandedEndpoint> = readonly [
  kind: Kind['endpoint'],
  target: string,
  endpoint: E,
];

/** What goes over a channel. */
export type Message =
  | readonly [kind: Kind['call'], id: number, target: string, method: string, args: PortValue]
  | readonly [kind: Kind['notice'], target: string, method: string, args: PortValue]
  | readonly [kind: Kind['answer'], id: number, value: PortValue]
  | readonly [
      kind: Kind['refusal'],
      id: number,
      code: string,
      message: string,
      field: string | null,
      rule: string | null,
    ]
  | EndpointMessage
  /** The most frequent of all: the call of this number is answered with null. */
  | number;

/** Calls that one end may have waiting at the other: more than any stage has use for, few enough to hold. */
const MOST_WAITING = 4096;

/** Answers calls that come over a link. `target` is what the other end addresses: a port's name, or a caller to be. */
export type LinkHandler = (target: string, method: string, args: readonly PortValue[]) => Promise<PortValue>;

interface Pending {
  readonly resolve: (value: PortValue) => void;
  readonly reject: (error: Error) => void;
}

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
  readonly #pending = new Map<number, Pending>();
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
      this.#post((buffers) => [MESSAGE.call, id, target, method, copyPlainData(args, buffers)]);
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** A call without an answer. */
  notify(target: string, method: string, args: readonly PortValue[]): void {
    if (this.#closed === null)
      this.#post((buffers) => [MESSAGE.notice, target, method, copyPlainData(args, buffers)]);
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
    // A list of nothing would be gone through all the same, in every call.
    if (buffers.length === 0) this.#endpoint.postMessage(message, undefined);
    else this.#endpoint.postMessage(message, buffers);
  }

  #take(message: Message): void {
    if (this.#closed !== null) return;
    if (typeof message === 'number') {
      this.#settle(message)?.resolve(null);
      return;
    }
    switch (message[0]) {
      case MESSAGE.call:
        this.#answer(message[1], message[2], message[3], message[4]);
        break;
      case MESSAGE.notice: {
        const [, target, method, args] = message;
        this.#serve(target, method, args as readonly PortValue[]).catch((error: unknown) =>
          this.#onInternal(describeFailure(error).detail ?? `notice ${method} was refused`),
        );
        break;
      }
      case MESSAGE.endpoint:
        this.#onEndpoint(message[1], message[2]);
        break;
      case MESSAGE.answer:
        this.#settle(message[1])?.resolve(message[2]);
        break;
      case MESSAGE.refusal: {
        const [, id, code, text, field, rule] = message;
        const problem = {
          code,
          message: text,
          ...(field === null ? {} : { field }),
          ...(rule === null ? {} : { rule }),
        };
        this.#settle(id)?.reject(problemToError(problem));
        break;
      }
      default:
        message satisfies never;
    }
  }

  /** The call of this number, which waits no longer. */
  #settle(id: number): Pending | undefined {
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    return waiting;
  }

  #answer(id: number, target: string, method: string, args: PortValue): void {
    if (this.#answering >= MOST_WAITING) {
      const rule = `at most ${MOST_WAITING} at a time`;
      const message = `${MOST_WAITING} calls wait for their answer already.`;
      this.#post(() => [MESSAGE.refusal, id, 'TooManyCalls', message, null, rule]);
      return;
    }
    this.#answering += 1;
    this.#serve(target, method, args as readonly PortValue[]).then(
      (value) => {
        this.#answering -= 1;
        this.#reply(id, target, method, value);
      },
      (error: unknown) => {
        this.#answering -= 1;
        this.#refuse(id, target, method, error);
      },
    );
  }

  #reply(id: number, target: string, method: string, value: PortValue): void {
    if (this.#closed !== null) return;
    try {
      this.#post((buffers) => (value === null ? id : [MESSAGE.answer, id, copyPlainData(value, buffers)]));
    } catch (error) {
      this.#refuse(id, target, method, error);
    }
  }

  #refuse(id: number, target: string, method: string, error: unknown): void {
    if (this.#closed !== null) return;
    const { problem, detail } = describeFailure(error);
    if (detail !== null) this.#onInternal(`internal error of ${target}.${method}: ${detail}`);
    const { code, message, field = null, rule = null } = problem;
    this.#post(() => [MESSAGE.refusal, id, code, message, field, rule]);
  }
}

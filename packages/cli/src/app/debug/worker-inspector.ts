import { Session, type NodeWorker } from 'node:inspector';
import { CliError } from '../../errors.ts';

/** A method's answer or an event's parameters, as V8's inspector of this very process gives them. */
export type InspectorValue = Readonly<Record<string, unknown>>;

/** One thread of this process under V8's inspector. */
export interface InspectedThread {
  /** Calls a method of the inspector in the thread. Rejects with `NotProved` and the inspector's words. */
  post(method: string, params?: object): Promise<InspectorValue>;
  /** Called for every event of the thread, in order. */
  onEvent: (method: string, params: InspectorValue) => void;
  /** Called once the thread has ended. */
  onEnd: () => void;
}

interface Waiting {
  readonly resolve: (value: InspectorValue) => void;
  readonly reject: (error: Error) => void;
}

interface Attached {
  readonly thread: InspectedThread;
  readonly waiting: Map<number, Waiting>;
}

const gone = (): CliError => new CliError('NotProved', 'The app’s thread has ended.');

/**
 * Watches this process's own threads, over no socket: nobody else can come in. Each thread named `name` is handed to
 * `onThread` before it runs anything; all others are let go at once.
 */
export class WorkerInspector {
  readonly #session = new Session();
  readonly #attached = new Map<string, Attached>();
  #calls = 0;

  constructor(name: string, onThread: (thread: InspectedThread) => Promise<void>) {
    this.#session.connect();
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => {
      const { sessionId, workerInfo } = params;
      const attached = this.#attach(sessionId);
      if (workerInfo.title.endsWith(` ${name}`)) {
        void onThread(attached.thread).catch(() => undefined);
      } else {
        void attached.thread
          .post('Runtime.runIfWaitingForDebugger')
          .then(() => this.#session.post('NodeWorker.detach', { sessionId }))
          .catch(() => undefined);
      }
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => this.#receive(params));
    this.#session.on('NodeWorker.detachedFromWorker', ({ params }) => {
      const attached = this.#attached.get(params.sessionId);
      this.#attached.delete(params.sessionId);
      for (const { reject } of attached?.waiting.values() ?? []) reject(gone());
      attached?.thread.onEnd();
    });
    this.#session.post('NodeWorker.enable', { waitForDebuggerOnStart: true });
  }

  #attach(sessionId: string): Attached {
    const waiting = new Map<number, Waiting>();
    const thread: InspectedThread = {
      post: (method, params = {}) => {
        const { promise, resolve, reject } = Promise.withResolvers<InspectorValue>();
        this.#calls += 1;
        const id = this.#calls;
        if (this.#attached.get(sessionId)?.thread !== thread) return Promise.reject(gone());
        waiting.set(id, { resolve, reject });
        const message = JSON.stringify({ id, method, params });
        this.#session.post('NodeWorker.sendMessageToWorker', { sessionId, message }, (error) => {
          if (error !== null) reject(gone());
        });
        return promise;
      },
      onEvent: () => undefined,
      onEnd: () => undefined,
    };
    const attached = { thread, waiting };
    this.#attached.set(sessionId, attached);
    return attached;
  }

  #receive({ sessionId, message }: NodeWorker.ReceivedMessageFromWorkerEventDataType): void {
    const attached = this.#attached.get(sessionId);
    if (attached === undefined) return;
    // V8's own words: what the protocol says.
    const said = JSON.parse(message) as {
      readonly id?: number;
      readonly method?: string;
      readonly params?: InspectorValue;
      readonly result?: InspectorValue;
      readonly error?: { readonly message: string };
    };
    if (said.id === undefined) {
      attached.thread.onEvent(said.method ?? '', said.params ?? {});
      return;
    }
    const waiting = attached.waiting.get(said.id);
    attached.waiting.delete(said.id);
    if (said.error !== undefined) waiting?.reject(new CliError('NotProved', said.error.message));
    else waiting?.resolve(said.result ?? {});
  }

  /** Lets all threads run on, watched by nobody. */
  close(): void {
    this.#session.disconnect();
  }
}

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { PkiError, type PkiErrorCode } from '../errors.ts';
import type { KeyStore } from '../key-store.ts';
import type { KeyCurve } from '../keys.ts';
import type { TokenAnswer, TokenRequest } from './protocol.ts';
import type { TokenOptions } from './token.ts';

/** Which token, and the environment that its library reads its configuration from (added to this process's own). */
export interface Pkcs11Options extends TokenOptions {
  readonly environment?: Readonly<Record<string, string>>;
}

type Distributive<T> = T extends unknown ? Omit<T, 'id'> : never;

const PROGRAM = fileURLToPath(new URL('token.child.ts', import.meta.url));
/** A token that does not answer for so long has failed. Ms. */
const PATIENCE = 30_000;

/**
 * Keys in a PKCS#11 token. The vendor's library runs in a process of its own: its calls block, and what crashes in it
 * takes no service with it. `close` lets go of the token. Errors beside those of a `KeyStore`: `KeyTokenFailed`,
 * `WrongPassphrase` (the PIN).
 */
export class Pkcs11KeyStore implements KeyStore {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: TokenAnswer | null) => void>();
  #next = 0;

  constructor(environment: Readonly<Record<string, string>>) {
    this.#child = fork(PROGRAM, [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, ...environment },
    });
    this.#child.on('message', (answer: TokenAnswer) => this.#waiting.get(answer.id)?.(answer));
    const lose = (): void => {
      for (const settle of this.#waiting.values()) settle(null);
    };
    this.#child.once('error', lose).once('exit', lose);
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Opens the token: the first call. */
  async open(options: TokenOptions): Promise<void> {
    const { library, label, pin } = options;
    await this.#ask({ call: 'open', options: { library, label, pin } });
  }

  async make(name: string, curve: KeyCurve = 'P-256'): Promise<Uint8Array> {
    return bytes(await this.#ask({ call: 'make', name, curve }));
  }

  async public(name: string): Promise<Uint8Array | null> {
    return this.#ask({ call: 'public', name });
  }

  async sign(name: string, message: Uint8Array): Promise<Uint8Array> {
    return bytes(await this.#ask({ call: 'sign', name, message }));
  }

  /** Ends the process that holds the token. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.ref();
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #ask(request: Distributive<TokenRequest>): Promise<Uint8Array | null> {
    const id = this.#next++;
    // Whoever waits for an answer keeps this process alive; an idle token does not.
    this.#child.channel?.ref();
    const answer = await new Promise<TokenAnswer | null>((resolve) => {
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
      this.#waiting.set(id, (given) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(given);
      });
      if (!this.#child.connected) this.#waiting.get(id)?.(null);
      else this.#child.send({ ...request, id });
    });
    if (this.#waiting.size === 0) this.#child.channel?.unref();
    if (answer === null) throw new PkiError('KeyTokenFailed', 'the process that holds the token has ended');
    if ('result' in answer) return answer.result;
    const { code, message, field } = answer.problem;
    // Codes cross the process boundary as they are; those of other packages are a failure of the token.
    const isOwn = ['KeyExists', 'KeyNotFound', 'BadKeyName', 'WrongPassphrase', 'KeyTokenFailed'].includes(
      code,
    );
    throw new PkiError(
      isOwn ? (code as PkiErrorCode) : 'KeyTokenFailed',
      message,
      field === undefined ? {} : { field },
    );
  }
}

/** Opens the token of that label. */
export async function openPkcs11KeyStore(options: Pkcs11Options): Promise<Pkcs11KeyStore> {
  const store = new Pkcs11KeyStore(options.environment ?? {});
  try {
    await store.open(options);
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

function bytes(result: Uint8Array | null): Uint8Array {
  if (result === null) throw new PkiError('KeyTokenFailed', 'the token gave nothing');
  return new Uint8Array(result);
}

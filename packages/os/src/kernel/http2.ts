import {
  isBytes,
  listArgument,
  recordArgument,
  textArgument,
  type Port,
  type PortValue,
} from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import type { Connections } from './connections.ts';
import { KernelError } from './errors.ts';

const MOST_EXCHANGES = 16;
const MOST_FIELDS = 64;
const LONGEST_NAME = 64;
const LONGEST_VALUE = 1024;
const LONGEST_PATH = 1024;
const LARGEST_BODY = 65_536;

/** Requests of apps over connections that agreed on HTTP/2; each goes to the very host that its connection is for. */
export class Http2Exchanges {
  readonly #hardware: Port;
  readonly #connections: Connections;
  readonly #open = new Map<number, Compartment>();
  readonly #opening = new WeakMap<Compartment, number>();

  constructor(hardware: Port, connections: Connections) {
    this.#hardware = hardware;
    this.#connections = connections;
  }

  /** Steps in order: a connection of this app; a request that is whole; room; begun. */
  async request(
    compartment: Compartment,
    connection: number,
    untrusted: PortValue | undefined,
  ): Promise<number> {
    const authority = this.#connections.authorityOf(compartment, connection);
    const { method, path, fields, body } = recordArgument(untrusted, 'request', [
      'method',
      'path',
      'fields',
      'body',
    ]);
    const request = {
      method: textArgument(method, 'request.method', LONGEST_NAME),
      path: textArgument(path, 'request.path', LONGEST_PATH),
      authority,
      fields: listArgument(fields, 'request.fields', MOST_FIELDS, fieldArgument),
      body: bodyArgument(body),
    };
    const opening = this.#opening.get(compartment) ?? 0;
    const held = [...this.#open.values()].filter((owner) => owner === compartment).length;
    if (held + opening >= MOST_EXCHANGES)
      throw new KernelError('TooManyOpen', `An app may have ${MOST_EXCHANGES} requests.`);
    this.#opening.set(compartment, opening + 1);
    try {
      const exchange = await this.#hardware.call('http2Request', connection, request);
      if (typeof exchange !== 'number') throw new KernelError('BadReply', 'The network gave no exchange.');
      this.#open.set(exchange, compartment);
      if (compartment.isEnded) {
        await this.close(compartment, exchange);
        throw new KernelError('NotOpen', 'The app came to an end before its request was sent.');
      }
      return exchange;
    } finally {
      this.#opening.set(compartment, (this.#opening.get(compartment) ?? 1) - 1);
    }
  }

  head(compartment: Compartment, exchange: number): Promise<PortValue> {
    this.#require(compartment, exchange);
    return this.#hardware.call('http2Head', exchange);
  }

  async read(compartment: Compartment, exchange: number, most: number): Promise<PortValue> {
    this.#require(compartment, exchange);
    const bytes = await this.#hardware.call('http2Read', exchange, most);
    if (!isBytes(bytes)) throw new KernelError('BadReply', 'The network gave no bytes.');
    return bytes;
  }

  async close(compartment: Compartment, exchange: number): Promise<null> {
    this.#require(compartment, exchange);
    this.#open.delete(exchange);
    await this.#hardware.call('http2Close', exchange);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  async release(compartment: Compartment): Promise<void> {
    for (const [exchange, owner] of this.#open)
      if (owner === compartment) await this.close(compartment, exchange);
  }

  #require(compartment: Compartment, exchange: number): void {
    if (this.#open.get(exchange) !== compartment)
      throw new KernelError('NotOpen', 'This exchange is not open.');
  }
}

function fieldArgument(item: PortValue | undefined, field: string): readonly [string, string] {
  const [name, value] = listArgument(item, field, 2, (text, place) =>
    textArgument(text, place, LONGEST_VALUE),
  );
  if (name === undefined || value === undefined || name.length > LONGEST_NAME)
    throw new KernelError('BadSetting', 'A field has a name and a value.', { field });
  return [name, value];
}

function bodyArgument(value: PortValue | undefined): Uint8Array | null {
  if (value === null) return null;
  if (!isBytes(value) || value.length > LARGEST_BODY)
    throw new KernelError('BadSetting', `A body has at most ${LARGEST_BODY} bytes.`, {
      field: 'request.body',
    });
  return value;
}

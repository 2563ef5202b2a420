import type { Readable } from 'node:stream';
import { CliError } from '../../errors.ts';

/** A request of the editor, its arguments unchecked. */
export interface DapRequest {
  readonly seq: number;
  readonly command: string;
  readonly untrustedArguments: Readonly<Record<string, unknown>>;
}

const HEADER_END = '\r\n\r\n';
const LONGEST_HEADER = 1024;
/** Requests that a person makes: all others an editor makes by itself, for whatever the mouse rests on. */
const ASKED_FOR: readonly string[] = ['launch', 'configurationDone', 'setVariable'];
const LONGEST_MESSAGE = 4 * 1024 * 1024;

const broken = (why: string): CliError => new CliError('BadValue', `The editor sent ${why}.`);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads one message's text. Throws `BadValue` for what is no request. */
function requestOf(text: string): DapRequest {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw broken('a message that is no JSON');
  }
  if (!isRecord(message)) throw broken('a message that is no object');
  const { seq, type, command, arguments: given } = message;
  if (type !== 'request' || typeof seq !== 'number' || typeof command !== 'string') {
    throw broken('a message that is no request');
  }
  return { seq, command, untrustedArguments: isRecord(given) ? given : {} };
}

/** The editor's requests, in order, to the end of the stream (Debug Adapter Protocol, Base Protocol). Throws `BadValue`. */
export async function* readRequests(input: Readable): AsyncGenerator<DapRequest> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of input) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    for (;;) {
      const end = bytes.indexOf(HEADER_END);
      if (end === -1 && bytes.length > LONGEST_HEADER) throw broken('a header without an end');
      if (end === -1) break;
      const [, digits] =
        /(?:^|\r\n)Content-Length: (\d{1,9})(?:$|\r\n)/i.exec(bytes.toString('latin1', 0, end)) ?? [];
      const length = Number(digits ?? Number.NaN);
      if (!(length <= LONGEST_MESSAGE)) throw broken('a header without a length that will do');
      const start = end + HEADER_END.length;
      if (bytes.length < start + length) break;
      yield requestOf(bytes.toString('utf8', start, start + length));
      bytes = bytes.subarray(start + length);
    }
  }
}

/** Writes the adapter's messages, each with the next number. */
export class DapWriter {
  readonly #write: (text: string) => void;
  #seq = 0;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  #send(message: object): void {
    this.#seq += 1;
    const text = JSON.stringify({ seq: this.#seq, ...message });
    this.#write(`Content-Length: ${Buffer.byteLength(text)}${HEADER_END}${text}`);
  }

  event(event: string, body: object = {}): void {
    this.#send({ type: 'event', event, body });
  }

  answer({ seq, command }: DapRequest, body: object = {}): void {
    this.#send({ type: 'response', request_seq: seq, success: true, command, body });
  }

  /** What the editor tells its user: in a box of its own where the user asked for it, in place of the value else. */
  refuse({ seq, command }: DapRequest, why: string): void {
    this.#send({
      type: 'response',
      request_seq: seq,
      success: false,
      command,
      message: why,
      body: { error: { id: 1, format: why.replaceAll(/[{}]/g, ''), showUser: ASKED_FOR.includes(command) } },
    });
  }

  /** Lines in the editor's debug console. */
  output(category: 'stdout' | 'stderr' | 'console', output: string): void {
    this.event('output', { category, output });
  }
}

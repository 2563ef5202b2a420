import { viewOf } from '@sevenfold/formats';

/** Record types that matter here (RFC 1035 §3.2.2, RFC 2782). */
export const DNS_TYPE = { a: 1, pointer: 12, text: 16, service: 33 } as const;

/** What is asked. */
interface DnsQuestion {
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
}

/** What is said. */
export interface DnsRecord extends DnsQuestion {
  /** Seconds. */
  readonly ttl: number;
  /** IPv4, of an A record; null: it is of another type. */
  readonly address: number | null;
  /** What a pointer or a service record points at; null: it is of another type. */
  readonly target: string | null;
}

/** A message of the domain name system (RFC 1035 §4), multicast or not. */
export interface DnsMessage {
  readonly isAnswer: boolean;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  /** Authorities and what was added. */
  readonly more: readonly DnsRecord[];
}

const HEADER = 12;
/** RFC 6762 §17, less than a jumbo frame. */
const LARGEST = 1500;
const MOST_ENTRIES = 32;
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;
const POINTER = 0xc0;
const RECORD_TAIL = 10;
const SERVICE_HEAD = 6;

/** Reads bytes that may have been made to confuse; everything that does not fit ends in `Malformed`. */
class Malformed extends Error {}

/** A name at `at`, and where what follows it begins. Pointers lead backwards only, so that none goes round for ever. */
function readName(bytes: Uint8Array, at: number): { readonly name: string; readonly next: number } {
  const labels: string[] = [];
  let next = -1;
  let length = 0;
  for (let place = at, before = at; ;) {
    const size = bytes[place] ?? Number.NaN;
    if (size === 0) return { name: labels.join('.'), next: next === -1 ? place + 1 : next };
    if ((size & POINTER) === POINTER) {
      const to = ((size & ~POINTER) << 8) | (bytes[place + 1] ?? 0);
      if (place + 1 >= bytes.length || to >= before) throw new Malformed();
      if (next === -1) next = place + 2;
      place = to;
      before = to;
      continue;
    }
    length += size + 1;
    if (!(size <= LONGEST_LABEL) || place + 1 + size > bytes.length || length > LONGEST_NAME + 1)
      throw new Malformed();
    const label = bytes.subarray(place + 1, place + 1 + size);
    // A dot within a label would make two names look like one.
    if (label.includes(0x2e) || label.includes(0)) throw new Malformed();
    labels.push(String.fromCharCode(...label).toLowerCase());
    place += 1 + size;
  }
}

/** Reads a message; null for whatever is none, is too large, or has bytes left over. */
export function readDns(untrusted: Uint8Array): DnsMessage | null {
  if (untrusted.length < HEADER || untrusted.length > LARGEST) return null;
  const view = viewOf(untrusted);
  const [questionCount = 0, answerCount = 0, ...others] = [4, 6, 8, 10].map((at) => view.getUint16(at));
  const moreCount = others.reduce((sum, count) => sum + count, 0);
  if (questionCount + answerCount + moreCount > MOST_ENTRIES) return null;
  let at = HEADER;
  const readQuestion = (): DnsQuestion => {
    const { name, next } = readName(untrusted, at);
    if (next + 4 > untrusted.length) throw new Malformed();
    at = next + 4;
    return { name, type: view.getUint16(next) };
  };
  const readRecord = (): DnsRecord => {
    const { name, next } = readName(untrusted, at);
    if (next + RECORD_TAIL > untrusted.length) throw new Malformed();
    const [type, ttl, length] = [view.getUint16(next), view.getUint32(next + 4), view.getUint16(next + 8)];
    const data = next + RECORD_TAIL;
    at = data + length;
    if (at > untrusted.length) throw new Malformed();
    const targetAt = { [DNS_TYPE.pointer]: data, [DNS_TYPE.service]: data + SERVICE_HEAD }[type] ?? null;
    let target: string | null = null;
    if (targetAt !== null) {
      const found = readName(untrusted, targetAt);
      if (found.next !== at) throw new Malformed();
      target = found.name;
    }
    if (type === DNS_TYPE.a && length !== 4) throw new Malformed();
    return { name, type, ttl, target, address: type === DNS_TYPE.a ? view.getUint32(data) : null };
  };
  try {
    const questions = Array.from({ length: questionCount }, readQuestion);
    const answers = Array.from({ length: answerCount }, readRecord);
    const more = Array.from({ length: moreCount }, readRecord);
    const isAnswer = (view.getUint16(2) & 0x8000) !== 0;
    return at === untrusted.length ? { isAnswer, questions, answers, more } : null;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

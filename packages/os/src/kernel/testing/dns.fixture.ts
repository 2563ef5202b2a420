import { concatBytes, utf8Encode } from '@sevenfold/formats';

/** A record as a test makes it. */
export interface TestRecord {
  readonly name: string;
  readonly type: number;
  /** Seconds; default 60. */
  readonly ttl?: number;
  readonly target?: string;
  readonly address?: number;
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff);
const u32 = (value: number): Uint8Array => concatBytes(u16(value >>> 16), u16(value & 0xffff));
const SERVICE = 33;

/** A name as it stands in a message (RFC 1035 §3.1), not compressed. */
export function nameBytes(name: string): Uint8Array {
  const labels = name.split('.').map((label) => concatBytes(Uint8Array.of(label.length), utf8Encode(label)));
  return concatBytes(...labels, Uint8Array.of(0));
}

function recordBytes({ name, type, ttl = 60, target, address }: TestRecord): Uint8Array {
  const points = target === undefined ? new Uint8Array(0) : nameBytes(target);
  const data = concatBytes(
    // Priority, weight, port 9000.
    type === SERVICE ? concatBytes(u16(0), u16(0), u16(9000)) : new Uint8Array(0),
    points,
    address === undefined ? new Uint8Array(0) : u32(address),
  );
  return concatBytes(nameBytes(name), u16(type), u16(1), u32(ttl), u16(data.length), data);
}

/** A message of the domain name system. */
export function dnsMessage({
  isAnswer = false,
  questions = [],
  answers = [],
  more = [],
}: {
  readonly isAnswer?: boolean;
  readonly questions?: readonly Pick<TestRecord, 'name' | 'type'>[];
  readonly answers?: readonly TestRecord[];
  readonly more?: readonly TestRecord[];
}): Uint8Array {
  return concatBytes(
    u16(7),
    u16(isAnswer ? 0x8400 : 0),
    u16(questions.length),
    u16(answers.length),
    u16(0),
    u16(more.length),
    ...questions.map(({ name, type }) => concatBytes(nameBytes(name), u16(type), u16(1))),
    ...[...answers, ...more].map(recordBytes),
  );
}

import { viewOf } from '@sevenfold/formats';

/** What a DHCP message is (RFC 2132 §9.6), by its number. */
export const DHCP = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  acknowledge: 5,
  refuse: 6,
  release: 7,
  inform: 8,
} as const;
/** Options that are read or written here (RFC 2132). */
export const OPTION = {
  mask: 1,
  router: 3,
  timeServers: 42,
  requestedAddress: 50,
  leaseTime: 51,
  type: 53,
  server: 54,
  parameters: 55,
} as const;
export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

/** A DHCP message (RFC 2131 §2) between two neighbours. */
export interface DhcpMessage {
  /** Whether a server sent it. */
  readonly isReply: boolean;
  readonly type: number;
  /** Drawn by the client; the answer carries it back. */
  readonly transaction: number;
  /** What the client has, what it is given. */
  readonly clientAddress: number;
  readonly yourAddress: number;
  readonly hardwareAddress: Uint8Array;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

const FIXED = 236;
const MAGIC = 0x6382_5363;
const LARGEST = 1500;
/** What RFC 2131 §2 has every receiver take. */
const LEAST = 300;
const ETHERNET = 1;
const HARDWARE_ADDRESS = 6;
const PAD = 0;
const END = 255;
const AT = { transaction: 4, client: 12, your: 16, relay: 24, hardware: 28 } as const;

/**
 * Reads a message off Ethernet; null for anything that is none: too short or long, of another medium, relayed, with
 * options that run out of it or come twice, or without a type.
 */
export function readDhcp(untrusted: Uint8Array): DhcpMessage | null {
  if (untrusted.length < FIXED + 4 || untrusted.length > LARGEST) return null;
  const view = viewOf(untrusted);
  const [operation, medium, length] = untrusted;
  const isKnown = (operation === 1 || operation === 2) && medium === ETHERNET && length === HARDWARE_ADDRESS;
  if (!isKnown || view.getUint32(FIXED) !== MAGIC || view.getUint32(AT.relay) !== 0) return null;
  const options = readOptions(untrusted.subarray(FIXED + 4));
  const type = options?.get(OPTION.type);
  if (options === null || type?.length !== 1) return null;
  return {
    isReply: operation === 2,
    type: type[0] ?? 0,
    transaction: view.getUint32(AT.transaction),
    clientAddress: view.getUint32(AT.client),
    yourAddress: view.getUint32(AT.your),
    hardwareAddress: untrusted.slice(AT.hardware, AT.hardware + HARDWARE_ADDRESS),
    options,
  };
}

function readOptions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | null {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const code = bytes[at] ?? END;
    if (code === END) return options;
    if (code === PAD) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length || options.has(code)) return null;
    options.set(code, bytes.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  // An end that is missing is a message that was cut.
  return null;
}

/** A number of 32 bits that an option holds; null: it holds none. */
export function numberOption(message: DhcpMessage, code: number): number | null {
  const bytes = message.options.get(code);
  return bytes?.length === 4 ? viewOf(bytes).getUint32(0) : null;
}

/** Numbers of 32 bits as an option's value. */
export function numbers(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  values.forEach((value, index) => viewOf(bytes).setUint32(index * 4, value));
  return bytes;
}

/** Writes a message. */
export function writeDhcp(message: DhcpMessage): Uint8Array {
  const size = [...message.options.values()].reduce((sum, { length }) => sum + 2 + length, 4);
  const bytes = new Uint8Array(Math.max(LEAST, FIXED + 4 + size));
  const view = viewOf(bytes);
  bytes.set([message.isReply ? 2 : 1, ETHERNET, HARDWARE_ADDRESS]);
  view.setUint32(AT.transaction, message.transaction);
  view.setUint32(AT.client, message.clientAddress);
  view.setUint32(AT.your, message.yourAddress);
  bytes.set(message.hardwareAddress, AT.hardware);
  view.setUint32(FIXED, MAGIC);
  let at = FIXED + 4;
  for (const [code, value] of [[OPTION.type, Uint8Array.of(message.type)] as const, ...message.options]) {
    bytes.set([code, value.length], at);
    bytes.set(value, at + 2);
    at += 2 + value.length;
  }
  bytes[at] = END;
  return bytes;
}

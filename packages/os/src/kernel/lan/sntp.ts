import { viewOf } from '@sevenfold/formats';

/** RFC 4330 §4. */
export const SNTP_PORT = 123;
const PACKET = 48;
const MODE = { client: 3, server: 4 } as const;
const AT = { stratum: 1, reference: 12, originate: 24, receive: 32, transmit: 40 } as const;
const UNSYNCHRONISED = 3;
const MOST_STRATUM = 15;
/** Seconds from 1900 to 1970, and those of an era (RFC 5905 §6). */
const EPOCH = 2_208_988_800;
const ERA = 2 ** 32;
/** 2026: nothing here was running before, so whoever says that it is earlier is wrong; what looks so is the next era. */
const EARLIEST = 1_767_225_600_000;

/** What an answer is. */
export type SntpVerdict =
  /** ms since 1970. */
  | { readonly kind: 'time'; readonly time: number }
  /** A Kiss-o'-Death (RFC 4330 §8): this server wants to be left alone. */
  | { readonly kind: 'kiss'; readonly code: string }
  /** Not an answer to this question, or from a server that does not know the time itself. */
  | { readonly kind: 'nothing' };

/** A question; its nonce of 8 bytes comes back in the answer, so that nobody who did not see it can answer. */
export function writeSntpRequest(nonce: Uint8Array): Uint8Array {
  const packet = new Uint8Array(PACKET);
  packet[0] = (4 << 3) | MODE.client;
  packet.set(nonce.subarray(0, 8), AT.transmit);
  return packet;
}

/** Judges what came back (RFC 4330 §5). */
export function readSntpAnswer(untrusted: Uint8Array, nonce: Uint8Array): SntpVerdict {
  const nothing = { kind: 'nothing' } as const;
  if (untrusted.length < PACKET) return nothing;
  const [first = 0, stratum = 0] = untrusted;
  const isAnswer =
    (first & 7) === MODE.server && nonce.every((byte, index) => untrusted[AT.originate + index] === byte);
  if (!isAnswer) return nothing;
  if (stratum === 0) {
    const code = String.fromCharCode(...untrusted.subarray(AT.reference, AT.reference + 4));
    return { kind: 'kiss', code: code.replaceAll(/[^A-Z]/g, '') };
  }
  if (stratum > MOST_STRATUM || first >>> 6 === UNSYNCHRONISED) return nothing;
  const view = viewOf(untrusted);
  const seconds = view.getUint32(AT.transmit);
  if (seconds === 0) return nothing;
  const fraction = (view.getUint32(AT.transmit + 4) / ERA) * 1000;
  const time = (seconds - EPOCH) * 1000 + fraction;
  if (time >= EARLIEST) return { kind: 'time', time };
  const later = time + ERA * 1000;
  // The bit that RFC 4330 §3 has the next era begin with is clear until 2104; then a time before 2026 is a wrong one.
  return seconds < 2 ** 31 ? { kind: 'time', time: later } : nothing;
}

/** What the device, itself asked, knows of the time. */
export interface OwnTime {
  /** ms since 1970. */
  readonly now: number;
  /** Somebody told it. */
  readonly isKnown: boolean;
}

/** The answer to a question; null: it is none. */
export function answerSntp(untrusted: Uint8Array, { now, isKnown }: OwnTime): Uint8Array | null {
  const [first = 0] = untrusted;
  const version = (first >>> 3) & 7;
  if (untrusted.length < PACKET || (first & 7) !== MODE.client || version < 1 || version > 4) return null;
  const packet = new Uint8Array(PACKET);
  const stratum = isKnown ? 3 : MOST_STRATUM + 1;
  packet.set([
    ((isKnown ? 0 : UNSYNCHRONISED) << 6) | (version << 3) | MODE.server,
    stratum,
    untrusted[2] ?? 0,
    0xec,
  ]);
  packet.set(untrusted.subarray(AT.transmit, AT.transmit + 8), AT.originate);
  const view = viewOf(packet);
  for (const at of [16, AT.receive, AT.transmit]) {
    view.setUint32(at, (Math.floor(now / 1000) + EPOCH) % ERA);
    view.setUint32(at + 4, Math.floor(((now % 1000) / 1000) * ERA));
  }
  return packet;
}

import { concatBytes } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';

const MOST_VECTORS = 1024;
const LONGEST_TRANSFER = 65_536;

/** A scatter or gather list: pairs of pointer and length, all of it in memory. */
export function vectors(
  guest: Guest,
  pointer: number,
  count: number,
): readonly { pointer: number; length: number }[] {
  if (count >>> 0 > MOST_VECTORS) throw new CallRefused('EINVAL');
  const { memory } = guest;
  const list = [];
  for (let at = pointer; at !== pointer + count * 8; at += 8)
    list.push({ pointer: memory.read32(at), length: memory.read32(at + 4) });
  // Even what will not be filled: what has been received is gone when only then a part turns out to lie nowhere.
  for (const part of list) memory.require(part.pointer, part.length);
  return list;
}

/** Bytes that a scatter list takes, at most as many as one transfer. */
export function capacity(list: readonly { length: number }[]): number {
  let sum = 0;
  for (const { length } of list) sum += length;
  return Math.min(LONGEST_TRANSFER, sum);
}

/** Spreads bytes over a scatter list and notes their number. */
export function scatter(
  guest: Guest,
  list: readonly { pointer: number; length: number }[],
  bytes: Uint8Array,
  outCount: number,
): void {
  let at = 0;
  for (const { pointer, length } of list) {
    const size = Math.min(length, bytes.length - at);
    guest.memory.write(pointer, size === bytes.length ? bytes : bytes.subarray(at, at + size));
    at += size;
  }
  guest.memory.write32(outCount, bytes.length);
}

/** The bytes that a gather list names, at most as many as one transfer, in one piece. */
export function gather(guest: Guest, pointer: number, count: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let room = LONGEST_TRANSFER;
  // A thousand vectors may all name the same bytes: no more is gathered than is taken.
  for (const part of vectors(guest, pointer, count)) {
    const bytes = guest.memory.bytes(part.pointer, Math.min(part.length, room));
    parts.push(bytes);
    room -= bytes.length;
  }
  return concatBytes(...parts);
}

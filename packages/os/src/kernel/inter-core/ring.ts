import { concatBytes, guidFromBytes, guidToBytes, viewOf } from '@sevenfold/formats';

/**
 * The ring buffers that the application core shares with a real-time core (real-time-cores.md §2.3, §2.4), in bytes.
 * Each side writes its own buffer alone: where it has written to, and how far it has read in the other one.
 */
export const RING = {
  /** One buffer, a power of two. */
  size: 4096,
  header: 64,
  /** What the header leaves for data. */
  data: 4096 - 64,
  alignment: 16,
  writePosition: 0,
  readPosition: 4,
} as const;

/** Word of the size, then what it counts: component id, a reserved word. */
const SIZE_WORD = 4;
const PREFIX = 20;
/** Largest payload; 1024 is what every implementation takes. */
export const MOST_MESSAGE = 1040;

/** A message of a real-time app for one of its partners. */
export interface Message {
  /** Of the app that it is for. */
  readonly componentId: string;
  readonly payload: Uint8Array;
}

/** Whether a position is one that this protocol can reach: in the data area, on a block's boundary. */
export const isPosition = (position: number): boolean =>
  position < RING.data && position % RING.alignment === 0;

/** Bytes from one position on to another. */
export const distance = (from: number, to: number): number => (to - from + RING.data) % RING.data;

/** The position so many bytes further on. */
export const advance = (position: number, bytes: number): number => (position + bytes) % RING.data;

const aligned = (bytes: number): number => Math.ceil(bytes / RING.alignment) * RING.alignment;

/** Whether a message fits between what was written and what the other side has read: one slot stays free. */
export function fits(writePosition: number, readPosition: number, payload: number): boolean {
  const free = RING.data - distance(readPosition, writePosition);
  return aligned(SIZE_WORD + PREFIX + payload) + RING.alignment <= free;
}

/** The block of a message, filled up to where the next one begins. */
export function encodeBlock(componentId: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = SIZE_WORD + PREFIX + payload.length;
  const head = new Uint8Array(SIZE_WORD);
  viewOf(head).setUint32(0, PREFIX + payload.length, true);
  return concatBytes(
    head,
    guidToBytes(componentId),
    new Uint8Array(PREFIX - 16),
    payload,
    new Uint8Array(aligned(length) - length),
  );
}

/**
 * The first message of what the other side has written, and the bytes that it takes; null: the sizes are none that the
 * protocol has. `written` is a copy, in order and without the turn at the end of the data area.
 */
export function decodeBlock(
  written: Uint8Array,
): { readonly message: Message; readonly length: number } | null {
  if (written.length < RING.alignment) return null;
  const size = viewOf(written).getUint32(0, true);
  if (size < PREFIX || size > PREFIX + MOST_MESSAGE) return null;
  const length = aligned(SIZE_WORD + size);
  if (length > written.length) return null;
  const componentId = guidFromBytes(written.slice(SIZE_WORD, SIZE_WORD + 16));
  return { message: { componentId, payload: written.slice(SIZE_WORD + PREFIX, SIZE_WORD + size) }, length };
}

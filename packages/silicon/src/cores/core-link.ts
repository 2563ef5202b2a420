import type { CoreFailure } from './core-failure.ts';
import type { CoreHostParts } from './core-host.ts';

/**
 * Words that a core's thread and the chip's share. The core's thread never waits for a message: it looks at the bell,
 * and sleeps on it. An access to the chip is the one thing for which it waits, at `answer`.
 */
export const LINK = {
  /** Rises with everything that the chip has to say. */
  bell: 0,
  /** Rises with every start and stop: what belongs to an older one means nothing any more. */
  generation: 1,
  /** 0 until an access is answered, then one of `ANSWER`. */
  answer: 2,
  value: 3,
  /** A bit for each interrupt line, and for each request for DMA. */
  lines: 4,
  requests: 8,
  words: 12,
} as const;
export const ANSWER = { done: 1, refused: 2 } as const;
/** Bits in either of the two sets. */
export const LINK_BITS = 128;

/** What a core's thread is made with. */
export interface CoreThreadData {
  readonly link: Int32Array;
  readonly window: Uint8Array;
  readonly windowBase: number;
  readonly resetCause: NonNullable<CoreHostParts['resetCause']>;
  readonly engine: NonNullable<CoreHostParts['engine']> | null;
}

/** What the chip says to a core's thread. */
export type ToCore =
  | { readonly kind: 'load'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'start'; readonly generation: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'pin'; readonly pin: number; readonly level: 0 | 1 }
  | { readonly kind: 'input'; readonly bytes: Uint8Array };

/** What a core's thread says to the chip; `generation` is that of the start it belongs to. */
export type FromCore = { readonly generation: number } & (
  | { readonly kind: 'read'; readonly address: number; readonly size: 1 | 2 | 4 }
  | { readonly kind: 'write'; readonly address: number; readonly size: 1 | 2 | 4; readonly value: number }
  | { readonly kind: 'output'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'failure';
      readonly failure: CoreFailure;
      readonly resetCause: NonNullable<CoreHostParts['resetCause']>;
    }
);

/** Sets a bit of one of the sets, and says whether that changed it. */
export function setBit(link: Int32Array, first: number, bit: number, isSet: boolean): boolean {
  const mask = 1 << (bit & 31);
  const at = first + (bit >> 5);
  const old = isSet ? Atomics.or(link, at, mask) : Atomics.and(link, at, ~mask);
  return ((old & mask) !== 0) !== isSet;
}

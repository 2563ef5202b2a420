import { describe, expect, it } from 'vitest';
import { toHex } from '@sevenfold/formats';
import { advance, decodeBlock, distance, encodeBlock, fits, isPosition, MOST_MESSAGE, RING } from './ring.ts';

const ID = '005180bc-402f-4cb3-a662-72937dbcde47';

describe('the ring between two cores', () => {
  it('has blocks as the original: size without itself, mixed-endian component id, a reserved word, payload', () => {
    const block = encodeBlock(ID, Uint8Array.of(0x50, 0x69, 0x6e, 0x67));
    expect(toHex(block)).toBe('18000000bc8051002f40b34ca66272937dbcde470000000050696e6700000000');
    expect(decodeBlock(block)).toEqual({
      message: { componentId: ID, payload: Uint8Array.of(0x50, 0x69, 0x6e, 0x67) },
      length: 32,
    });
  });

  it('takes messages of 0 to 1040 bytes and no other size', () => {
    for (const length of [0, 1, 8, 9, 1024, MOST_MESSAGE]) {
      const block = encodeBlock(ID, new Uint8Array(length).fill(7));
      expect(block.length % RING.alignment).toBe(0);
      expect(decodeBlock(block)).toMatchObject({ length: block.length, message: { payload: { length } } });
    }
    for (const size of [0, 19, MOST_MESSAGE + 21, 0x7fff_ffff, 0xffff_ffff]) {
      const block = new Uint8Array(RING.data);
      new DataView(block.buffer).setUint32(0, size, true);
      expect(decodeBlock(block)).toBeNull();
    }
    const cut = encodeBlock(ID, new Uint8Array(100)).subarray(0, 112);
    expect([decodeBlock(cut), decodeBlock(new Uint8Array(0)), decodeBlock(new Uint8Array(15))]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('keeps one slot free, so that full is not empty', () => {
    // An empty ring: 4032 bytes, of which a block may take 4016.
    expect(fits(0, 0, 4016 - 24)).toBe(true);
    expect(fits(0, 0, 4016 - 23)).toBe(false);
    for (let position = 0; position < RING.data; position += 16) {
      expect(isPosition(position)).toBe(true);
      // 48 bytes free: a block of 32 fits, one of 48 would make it look empty.
      const read = advance(position, 48);
      expect([fits(position, read, 8), fits(position, read, 9)]).toEqual([true, false]);
      expect(distance(position, read)).toBe(48);
    }
    expect([RING.data, 8, 1, 0xffff_fff0].map(isPosition)).toEqual([false, false, false, false]);
  });
});

import { describe, expect, it } from 'vitest';
import { FLASH_MAP } from './flash-map.ts';
import { decodeSlotHeader, encodeSlotHeader, slotCapacity } from './slot.ts';

const slot = FLASH_MAP.system.Services.A;
const room = slotCapacity(slot);
const header = {
  imageType: 9,
  componentId: '7f1d0009-5e7e-4f01-8d00-000000000009',
  imageId: '11111111-2222-4333-8444-555555555555',
  size: 5000,
  digest: new Uint8Array(32).map((_, index) => index),
};

describe('the header of a slot', () => {
  it('comes back as it was written', () => {
    expect(decodeSlotHeader(encodeSlotHeader(header), room)).toEqual(header);
  });

  it('is refused with any bit of it changed, when it is blank, and when the image would not fit', () => {
    const bytes = encodeSlotHeader(header);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeSlotHeader(changed, room)).toThrow(
        expect.objectContaining({ code: 'InvalidSlotHeader' }),
      );
    }
    expect(() => decodeSlotHeader(new Uint8Array(80).fill(0xff), room)).toThrow(
      expect.objectContaining({ code: 'InvalidSlotHeader' }),
    );
    expect(() => decodeSlotHeader(bytes.subarray(0, 79), room)).toThrow(
      expect.objectContaining({ code: 'InvalidSlotHeader' }),
    );
    const large = encodeSlotHeader({ ...header, size: room + 1 });
    expect(() => decodeSlotHeader(large, room)).toThrow(
      expect.objectContaining({ code: 'InvalidSlotHeader' }),
    );
  });

  it('leaves room for an image of nearly the whole slot', () => {
    expect(slotCapacity(slot)).toBe(slot.length - 4096);
  });
});

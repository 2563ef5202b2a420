import type { Peripheral } from '../bus.ts';
import { SiliconError } from '../errors.ts';
import type { CoreBus } from './access.ts';
import type { AccessSize } from './ir.ts';

/** A part of a register's word, as a narrower load of a core gets it. */
export function partOf(word: number, address: number, size: AccessSize): number {
  const part = word >>> (8 * (address % 4));
  return size === 4 ? word | 0 : part & (size === 2 ? 0xffff : 0xff);
}

/** Registers are words: a part of one can be read, but not written. Throws `BusFault`. */
export function requireWord(address: number, size: AccessSize): void {
  if (size === 4) return;
  throw new SiliconError('BusFault', `Bus fault: registers are written as words, not as ${size} bytes.`, {
    field: `0x${address.toString(16)}`,
  });
}

const BLOCK_BITS = 16;
const BLOCK_MASK = 0xffff;

/**
 * The bus of a core that has peripherals of its own: each takes a block of 64 KiB, by the upper half of its address,
 * and answers there without anybody being asked. What is in none of them goes to the bus beyond.
 */
export function registerBus(own: ReadonlyMap<number, Peripheral>, beyond: CoreBus): CoreBus {
  return {
    read(address, size) {
      const device = own.get(address >>> BLOCK_BITS);
      if (device === undefined) return beyond.read(address, size);
      return partOf(device.read(address & BLOCK_MASK & ~3), address, size);
    },
    write(address, size, value) {
      const device = own.get(address >>> BLOCK_BITS);
      if (device === undefined) {
        beyond.write(address, size, value);
        return;
      }
      requireWord(address, size);
      device.write(address & BLOCK_MASK, value >>> 0);
    },
  };
}

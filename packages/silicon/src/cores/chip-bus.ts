import type { Bus } from '../bus.ts';
import { SiliconError } from '../errors.ts';
import type { InterruptLines } from '../peripherals/interrupts.ts';
import type { CoreBus } from './access.ts';
import type { Core } from './core.ts';

/** Which of the chip's two real-time cores. */
export type RealTimeMaster = 'realtime0' | 'realtime1';

/**
 * The chip as a real-time core sees it: every access goes through the firewall under the core's own name, and what
 * that stops is a bus fault on the core and an entry in the firewall's list. Registers are words: a part of one can be
 * read, but not written.
 */
export function chipBus(bus: Bus, master: RealTimeMaster): CoreBus {
  return {
    read: (address, size) => {
      const word = bus.read(master, address - (address % 4));
      const part = word >>> (8 * (address % 4));
      return size === 4 ? word | 0 : part & (size === 2 ? 0xffff : 0xff);
    },
    write: (address, size, value) => {
      if (size !== 4) {
        throw new SiliconError(
          'BusFault',
          `Bus fault: registers are written as words, not as ${size} bytes.`,
          {
            field: `0x${address.toString(16)}`,
          },
        );
      }
      bus.write(master, address, value);
    },
  };
}

/** Lets the chip's interrupt lines reach a core; returns the function that ends it. */
export const connectLines = (lines: InterruptLines, core: Core): (() => void) =>
  lines.onChange((line, isHigh) => core.setLine(line, isHigh));

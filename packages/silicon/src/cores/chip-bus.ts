import type { RealTimeMaster } from '@sevenfold/formats';
import type { Bus } from '../bus.ts';
import type { CoreBus } from './access.ts';
import { partOf, requireWord } from './register-bus.ts';

/**
 * The chip as a real-time core sees it: every access goes through the firewall under the core's own name, and what
 * that stops is a bus fault on the core and an entry in the firewall's list. Memory that cores share is bytes,
 * everything else registers.
 */
export function chipBus(bus: Bus, master: RealTimeMaster): CoreBus {
  return {
    read(address, size) {
      if (!bus.isMemory(address)) return partOf(bus.read(master, address - (address % 4)), address, size);
      const bytes = bus.readMemory(master, address, size);
      const low = (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
      return size === 4 ? low | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24) : low;
    },
    write(address, size, value) {
      if (bus.isMemory(address)) {
        const bytes = Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
        bus.writeMemory(master, address, bytes.subarray(0, size));
        return;
      }
      requireWord(address, size);
      bus.write(master, address, value);
    },
  };
}

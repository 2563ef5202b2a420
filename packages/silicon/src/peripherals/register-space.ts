import type { Peripheral } from '../bus.ts';

/** One device within a region: where it begins and how many bytes it takes. */
export interface Part {
  readonly offset: number;
  readonly length: number;
  readonly device: Peripheral;
}

/**
 * Several devices behind one region, as in a serial unit, whose pins, I2C, SPI and UART share it. What is between them
 * reads as 0 and ignores writes.
 */
export function registerSpace(parts: readonly Part[]): Peripheral {
  const at = (offset: number): Part | undefined =>
    parts.find((part) => offset >= part.offset && offset < part.offset + part.length);
  return {
    read(offset) {
      const part = at(offset);
      return part === undefined ? 0 : part.device.read(offset - part.offset);
    },
    write(offset, value) {
      const part = at(offset);
      part?.device.write(offset - part.offset, value);
    },
    reset() {
      for (const { device } of parts) device.reset();
    },
  };
}

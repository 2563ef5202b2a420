import {
  SPI_BITS,
  SPI_BURST,
  SPI_HZ,
  SPI_NO_CHIP_SELECT,
  SPI_OFFSET,
  SPI_REGISTERS,
  type PortValue,
} from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { numberOf, operation, type BusOperation, type DriverBus } from './bus.ts';
import type { Ownership } from './ownership.ts';
import { unitAddress, unitName, wantedUnit } from './serial-unit.ts';

/** Bytes of all segments of one transfer. */
export const MOST_SPI = 4096;
/** Bus speeds in Hz. */
export const SPI_SPEEDS = { min: 20_000, max: 40_000_000 } as const;
const CHIP_SELECTS = ['A', 'B'] as const;
/** Ms that one burst may last at the slowest clock. */
const BURST_TIME = 100;

/** How a part wants to be talked to. */
export interface SpiSettings {
  /** Clock polarity and phase: 0 to 3. */
  readonly mode: number;
  readonly isLsbFirst: boolean;
  readonly speed: number;
}

/** One half-duplex piece of a transfer under one select. */
export type SpiSegment = { readonly write: Uint8Array } | { readonly read: number };

/** The SPI masters. */
export class SpiDriver {
  readonly #bus: DriverBus;
  readonly #ownership: Ownership;
  /** CSPOL of each unit while nobody is selected: a set bit is a line that is low at rest. */
  readonly #rest = new Map<number, number>();

  constructor(bus: DriverBus, ownership: Ownership) {
    this.#bus = bus;
    this.#ownership = ownership;
  }

  async open(
    compartment: Compartment,
    unit: number,
    chipSelect: 0 | 1,
    isActiveHigh: boolean,
  ): Promise<null> {
    const bit = 1 << chipSelect;
    await this.#ownership.open(
      compartment,
      wantedUnit(compartment, unit, 'SPI', partOf(chipSelect)),
      async () => {
        const old = this.#rest.get(unit) ?? 0;
        this.#rest.set(unit, isActiveHigh ? old | bit : old & ~bit);
        await this.#bus.run([this.#atRest(unit)]);
      },
      () => Promise.resolve(),
    );
    return null;
  }

  /** Everything that was read, in order. The part is selected from the first segment to the last. */
  async transfer(
    compartment: Compartment,
    unit: number,
    chipSelect: 0 | 1,
    settings: SpiSettings,
    segments: readonly SpiSegment[],
  ): Promise<Uint8Array> {
    this.#ownership.require(compartment, unitName(unit, 'SPI', partOf(chipSelect)));
    const selected = (this.#rest.get(unit) ?? 0) ^ (1 << chipSelect);
    const bursts = segments.flatMap((segment) => burstsOf(unit, segment));
    let results;
    try {
      results = await this.#bus.run([
        operation.write(registerOf(unit, 'SMMR'), mode(settings)),
        operation.write(registerOf(unit, 'CSPOL'), selected),
        ...bursts.flatMap(({ operations }) => operations),
        this.#atRest(unit),
      ]);
    } catch (error) {
      // Nobody stays selected, whatever went wrong.
      await this.#bus.run([this.#atRest(unit)]);
      throw error;
    }
    return readBytes(results.slice(2), bursts);
  }

  close(compartment: Compartment, unit: number, chipSelect: 0 | 1): Promise<null> {
    return this.#ownership.close(compartment, unitName(unit, 'SPI', partOf(chipSelect)));
  }

  #atRest(unit: number): BusOperation {
    return operation.write(registerOf(unit, 'CSPOL'), this.#rest.get(unit) ?? 0);
  }
}

interface Burst {
  readonly operations: readonly BusOperation[];
  /** Bytes that its last operations read, four a word. */
  readonly read: number;
}

const partOf = (chipSelect: 0 | 1): string => `, chip select ${CHIP_SELECTS[chipSelect]}`;

function registerOf(unit: number, name: keyof typeof SPI_REGISTERS): number {
  return unitAddress(unit, SPI_OFFSET + SPI_REGISTERS[name]);
}

/** SMMR: the fastest clock that is no faster than asked for. */
function mode({ mode: clockMode, isLsbFirst, speed }: SpiSettings): number {
  const divider = Math.min(0xfff, Math.max(0, Math.ceil(SPI_HZ / speed) - 2));
  return (
    ((SPI_NO_CHIP_SELECT << 29) |
      (divider << 16) |
      ((clockMode & 2) === 0 ? 0 : SPI_BITS.CPOL) |
      ((clockMode & 1) === 0 ? 0 : SPI_BITS.CPHA) |
      (isLsbFirst ? SPI_BITS.LSB_FIRST : 0)) >>>
    0
  );
}

function burstsOf(unit: number, segment: SpiSegment): readonly Burst[] {
  const length = 'write' in segment ? segment.write.length : segment.read;
  const bursts: Burst[] = [];
  for (let at = 0; at < length; at += SPI_BURST) {
    const size = Math.min(SPI_BURST, length - at);
    bursts.push('write' in segment ? out(unit, segment.write.subarray(at, at + size)) : take(unit, size));
  }
  return bursts;
}

function start(unit: number, counts: number): readonly BusOperation[] {
  const control = registerOf(unit, 'STCSR');
  return [
    operation.write(registerOf(unit, 'SMBCR'), counts),
    operation.write(control, SPI_BITS.START),
    operation.wait({ address: control, mask: SPI_BITS.BUSY, value: 0 }, BURST_TIME),
  ];
}

function out(unit: number, bytes: Uint8Array): Burst {
  const words = Array.from({ length: Math.ceil(bytes.length / 4) }, (_, word) =>
    [0, 1, 2, 3].reduce((value, index) => value + (bytes[4 * word + index] ?? 0) * 2 ** (8 * index), 0),
  );
  return {
    operations: [
      ...words.map((value, word) => operation.write(registerOf(unit, 'SDOR0') + 4 * word, value)),
      ...start(unit, 8 * bytes.length),
    ],
    read: 0,
  };
}

function take(unit: number, length: number): Burst {
  return {
    operations: [
      ...start(unit, (8 * length) << 12),
      ...Array.from({ length: Math.ceil(length / 4) }, (_, word) =>
        operation.read(registerOf(unit, 'SDIR0') + 4 * word),
      ),
    ],
    read: length,
  };
}

function readBytes(results: readonly PortValue[], bursts: readonly Burst[]): Uint8Array {
  const bytes: number[] = [];
  let at = 0;
  for (const { operations, read } of bursts) {
    at += operations.length;
    const words = results.slice(at - Math.ceil(read / 4), at).map(numberOf);
    for (let index = 0; index < read; index++)
      bytes.push(((words[index >> 2] ?? 0) >>> (8 * (index & 3))) & 0xff);
  }
  return Uint8Array.from(bytes);
}

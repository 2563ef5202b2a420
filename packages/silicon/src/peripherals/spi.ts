import { SPI_BITS, SPI_NO_CHIP_SELECT, SPI_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/** A part on an SPI bus, as the wires see it. */
export interface SpiDevice {
  /** Clock modes that it understands: 0 to 3. */
  readonly modes: readonly number[];
  /** Level of its select line that selects it: 0 for almost all parts. */
  readonly selectLevel: 0 | 1;
  select(): void;
  /** Eight bits each way. */
  exchange(byte: number): number;
  deselect(): void;
}

const WORD = 4;
/** Registers in the order in which DMA writes them through the data port; the last word is a dummy. */
const PORT_ORDER = [
  SPI_REGISTERS.SOAR,
  ...Array.from({ length: 8 }, (_, index) => SPI_REGISTERS.SDOR0 + WORD * index),
  SPI_REGISTERS.SMMR,
  SPI_REGISTERS.SMBCR,
  SPI_REGISTERS.STCSR,
  null,
] as const;

const mirrored = (byte: number): number => {
  let bits = 0;
  for (let bit = 0; bit < 8; bit++) bits |= ((byte >> bit) & 1) << (7 - bit);
  return bits;
};

/**
 * An SPI master with select lines A (0) and B (1). A burst is at most 4 bytes of command (SOAR, highest first), 32 out
 * (SDOR, lowest byte first) and 32 in (SDIR); it is over at once. A select line is pulled for the length of a burst
 * by SMMR, or for as long as software turns its bit of CSPOL round.
 */
export class SpiMaster implements Peripheral {
  readonly #devices = new Map<number, SpiDevice>();
  readonly #selected = new Set<number>();
  readonly #interrupt: (isHigh: boolean) => void;
  readonly #registers = new Map<number, number>();
  #portPosition = 0;
  #isDone = false;

  constructor(interrupt: (isHigh: boolean) => void) {
    this.#interrupt = interrupt;
  }

  /** Wires a part to select line 0 (A) or 1 (B). */
  attach(chipSelect: 0 | 1, device: SpiDevice): void {
    this.#devices.set(chipSelect, device);
  }

  read(offset: number): number {
    if (offset === SPI_REGISTERS.SCSR) {
      const status = this.#isDone ? 1 : 0;
      this.#isDone = false;
      this.#interrupt(false);
      return status;
    }
    return this.#registers.get(offset) ?? 0;
  }

  write(offset: number, value: number): void {
    if (offset === SPI_REGISTERS.DATA_PORT) {
      const target = PORT_ORDER[this.#portPosition] ?? null;
      this.#portPosition = (this.#portPosition + 1) % PORT_ORDER.length;
      if (target !== null) this.write(target, value);
      return;
    }
    if (offset === SPI_REGISTERS.SCSR) return;
    if (offset !== SPI_REGISTERS.STCSR) {
      this.#registers.set(offset, value);
      if (offset === SPI_REGISTERS.CSPOL) this.#select(SPI_NO_CHIP_SELECT);
      return;
    }
    this.#registers.set(offset, value & ~(SPI_BITS.START | SPI_BITS.BUSY));
    if ((value & SPI_BITS.START) !== 0) this.#burst();
  }

  reset(): void {
    this.#registers.clear();
    this.#select(SPI_NO_CHIP_SELECT);
    this.#portPosition = 0;
    this.#isDone = false;
    this.#interrupt(false);
  }

  #burst(): void {
    const mode = this.#registers.get(SPI_REGISTERS.SMMR) ?? 0;
    const counts = this.#registers.get(SPI_REGISTERS.SMBCR) ?? 0;
    const outBytes = Math.min(32, (counts & 0x1ff) >> 3);
    const inBytes = Math.min(32, ((counts >> 12) & 0x1ff) >> 3);
    const commandBytes = Math.min(4, ((counts >> 24) & 0x3f) >> 3);
    this.#select(mode >>> 29);
    const command = this.#registers.get(SPI_REGISTERS.SOAR) ?? 0;
    for (let index = commandBytes - 1; index >= 0; index--) this.#exchange((command >>> (8 * index)) & 0xff);
    const isFullDuplex = (mode & SPI_BITS.FULL_DUPLEX) !== 0;
    for (let index = 0; index < outBytes; index++) {
      const answer = this.#exchange(this.#byte(SPI_REGISTERS.SDOR0, index));
      if (isFullDuplex && index < inBytes) this.#setByte(SPI_REGISTERS.SDIR0, index, answer);
    }
    for (let index = isFullDuplex ? outBytes : 0; index < inBytes; index++)
      this.#setByte(SPI_REGISTERS.SDIR0, index, this.#exchange(0));
    this.#select(SPI_NO_CHIP_SELECT);
    this.#isDone = true;
    this.#interrupt((mode & SPI_BITS.INT_ENABLE) !== 0);
  }

  /** One byte to and from whoever is selected; a part that has another clock mode sees nothing of use. */
  #exchange(byte: number): number {
    const mode = this.#registers.get(SPI_REGISTERS.SMMR) ?? 0;
    const clockMode = ((mode & SPI_BITS.CPOL) === 0 ? 0 : 2) + ((mode & SPI_BITS.CPHA) === 0 ? 0 : 1);
    const isMirrored = (mode & SPI_BITS.LSB_FIRST) !== 0;
    let answer = 0xff;
    for (const chipSelect of this.#selected) {
      const device = this.#devices.get(chipSelect);
      if (device === undefined || !device.modes.includes(clockMode)) continue;
      answer &= device.exchange(isMirrored ? mirrored(byte) : byte);
    }
    return isMirrored ? mirrored(answer) : answer;
  }

  /** Sets the select lines: the one of a burst, and those that CSPOL holds. */
  #select(burst: number): void {
    const polarity = this.#registers.get(SPI_REGISTERS.CSPOL) ?? 0;
    for (const [chipSelect, device] of this.#devices) {
      const idle = ((polarity >> chipSelect) & 1) === 0 ? 1 : 0;
      const level = chipSelect === burst ? 1 - idle : idle;
      const isSelected = level === device.selectLevel;
      if (isSelected === this.#selected.has(chipSelect)) continue;
      if (isSelected) {
        this.#selected.add(chipSelect);
        device.select();
      } else {
        this.#selected.delete(chipSelect);
        device.deselect();
      }
    }
  }

  #byte(first: number, index: number): number {
    const word = this.#registers.get(first + WORD * Math.floor(index / WORD)) ?? 0;
    return (word >>> (8 * (index % WORD))) & 0xff;
  }

  #setByte(first: number, index: number, byte: number): void {
    const offset = first + WORD * Math.floor(index / WORD);
    const shift = 8 * (index % WORD);
    const word = this.#registers.get(offset) ?? 0;
    this.#registers.set(offset, ((word & ~(0xff << shift)) | (byte << shift)) >>> 0);
  }
}

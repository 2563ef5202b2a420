import { SPI_BITS, SPI_HZ, SPI_NO_CHIP_SELECT, SPI_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { PeripheralWiring } from './interrupts.ts';

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
/** Bytes of half of SDIR. */
const HALF = 16;
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
 * (SDOR, lowest byte first) and 32 in (SDIR); it takes the time of its bits where a real-time core
 * drives it, and is over at once on the board's clock. A select line is pulled for the length of a burst
 * by SMMR, or for as long as software turns its bit of CSPOL round.
 */
export class SpiMaster implements Peripheral {
  readonly #devices = new Map<number, SpiDevice>();
  readonly #selected = new Set<number>();
  /** Selected by pins that are none of the unit's own. */
  readonly #outside = new Set<SpiDevice>();
  readonly #wiring: PeripheralWiring;
  readonly #registers = new Map<number, number>();
  #portPosition = 0;
  /** Words of the last burst that DMA has not yet taken out of the data port. */
  #received: number[] = [];
  #isDone = false;
  #isBusy = false;
  #cancel: () => void = () => {};

  constructor(wiring: PeripheralWiring) {
    this.#wiring = wiring;
  }

  /** Wires a part to select line 0 (A) or 1 (B). */
  attach(chipSelect: 0 | 1, device: SpiDevice): void {
    this.#devices.set(chipSelect, device);
  }

  /** Wires a part whose select line is somebody else's; gives the function to be told of that line's level. */
  attachSelected(device: SpiDevice): (level: 0 | 1) => void {
    return (level) => {
      const isSelected = level === device.selectLevel;
      if (isSelected === this.#outside.has(device)) return;
      if (isSelected) {
        this.#outside.add(device);
        device.select();
      } else {
        this.#outside.delete(device);
        device.deselect();
      }
    };
  }

  read(offset: number): number {
    if (offset === SPI_REGISTERS.SCSR) {
      const status = this.#isDone ? 1 : 0;
      this.#isDone = false;
      this.#wiring.interrupt(false);
      return status;
    }
    if (offset === SPI_REGISTERS.DATA_PORT) {
      const word = this.#received.shift() ?? 0;
      this.#wiring.request('receive', this.#received.length > 0);
      return word;
    }
    if (offset === SPI_REGISTERS.STCSR && this.#isBusy)
      return (this.#registers.get(offset) ?? 0) | SPI_BITS.BUSY;
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
    if ((value & SPI_BITS.START) === 0 || this.#isBusy) return;
    const timeline = this.#wiring.timeline();
    if (timeline?.isExact !== true) {
      this.#burst();
      return;
    }
    this.#isBusy = true;
    this.#wiring.request('transmit', false);
    this.#cancel = timeline.after(this.#seconds, () => {
      this.#isBusy = false;
      this.#burst();
      this.#wiring.request('transmit', true);
    });
  }

  /** How long a burst takes: its bits at the clock that SMMR divides. */
  get #seconds(): number {
    const lengths = this.#registers.get(SPI_REGISTERS.SMBCR) ?? 0;
    const mode = this.#registers.get(SPI_REGISTERS.SMMR) ?? 0;
    const out = lengths & 0x1ff;
    const incoming = (lengths >> 12) & 0x1ff;
    const data = (mode & SPI_BITS.FULL_DUPLEX) === 0 ? out + incoming : Math.max(out, incoming);
    return ((((lengths >> 24) & 0x3f) + data) * (((mode >> 16) & 0xfff) + 2)) / SPI_HZ;
  }

  reset(): void {
    this.#registers.clear();
    this.#select(SPI_NO_CHIP_SELECT);
    this.#portPosition = 0;
    this.#isDone = false;
    this.#cancel();
    this.#isBusy = false;
    this.#received = [];
    this.#wiring.interrupt(false);
    this.#wiring.request('transmit', true);
    this.#wiring.request('receive', false);
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
    // Drivers differ in where they look for up to 16 bytes that came while others went: in both halves of SDIR.
    const doubled = isFullDuplex && inBytes <= HALF ? inBytes : 0;
    for (let index = 0; index < doubled; index++)
      this.#setByte(SPI_REGISTERS.SDIR0, HALF + index, this.#byte(SPI_REGISTERS.SDIR0, index));
    this.#select(SPI_NO_CHIP_SELECT);
    this.#isDone = true;
    this.#wiring.interrupt((mode & SPI_BITS.INT_ENABLE) !== 0);
    this.#offer(inBytes);
  }

  /** What a burst has received, word by word, for DMA; what is left of the burst before is gone. */
  #offer(bytes: number): void {
    const isByDma = ((this.#registers.get(SPI_REGISTERS.CSPOL) ?? 0) & SPI_BITS.DMA) !== 0;
    this.#received = Array.from(
      { length: isByDma ? Math.ceil(bytes / WORD) : 0 },
      (_, index) => this.#registers.get(SPI_REGISTERS.SDIR0 + WORD * index) ?? 0,
    );
    this.#wiring.request('receive', this.#received.length > 0);
  }

  /** One byte to and from whoever is selected; a part that has another clock mode sees nothing of use. */
  #exchange(byte: number): number {
    const mode = this.#registers.get(SPI_REGISTERS.SMMR) ?? 0;
    const clockMode = ((mode & SPI_BITS.CPOL) === 0 ? 0 : 2) + ((mode & SPI_BITS.CPHA) === 0 ? 0 : 1);
    const isMirrored = (mode & SPI_BITS.LSB_FIRST) !== 0;
    let answer = 0xff;
    const bySelect = [...this.#selected].flatMap((chipSelect) => this.#devices.get(chipSelect) ?? []);
    for (const device of [...bySelect, ...this.#outside]) {
      if (!device.modes.includes(clockMode)) continue;
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

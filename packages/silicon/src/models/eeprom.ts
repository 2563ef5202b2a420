import type { Clock } from '@sevenfold/formats';
import type { FlashStorage } from '../flash.ts';
import { memoryFlash } from '../memory-storage.ts';
import type { I2cDevice } from '../peripherals/i2c-wires.ts';
import type { SpiDevice } from '../peripherals/spi.ts';

/** Bytes of an EEPROM. */
export const EEPROM_BYTES = 32_768;
const PAGE = 64;
/** Milliseconds of a write cycle, during which the part answers nothing but its status. */
const WRITE_CYCLE = 5;

/** The memory behind both interfaces: 32 KiB in pages of 64 bytes, with a write cycle of 5 ms. */
class EepromArray {
  readonly #clock: Clock;
  readonly #storage: FlashStorage;
  #busyUntil = -1;

  constructor(clock: Clock, storage: FlashStorage) {
    this.#clock = clock;
    this.#storage = storage;
  }

  get bytes(): Uint8Array {
    return this.#storage.read(0, EEPROM_BYTES);
  }

  get isBusy(): boolean {
    return this.#clock.monotonic() < this.#busyUntil;
  }

  read(address: number): number {
    return this.#storage.read(address % EEPROM_BYTES, 1)[0] ?? 0xff;
  }

  /** Writes at most a page. More bytes than are left of the page go round to its beginning. */
  write(address: number, data: readonly number[]): void {
    const offset = (address - (address % PAGE)) % EEPROM_BYTES;
    const page = this.#storage.read(offset, PAGE);
    for (const [index, byte] of data.entries()) page[(address + index) % PAGE] = byte;
    this.#storage.write(offset, page);
    this.#busyUntil = this.#clock.monotonic() + WRITE_CYCLE;
  }
}

/**
 * An EEPROM of the 24xx256 kind: two bytes of address, then data; reading goes on from the last address. During its
 * write cycle it does not answer, which is how software waits for it.
 */
export class I2cEepromModel implements I2cDevice {
  readonly address: number;
  readonly #array: EepromArray;
  #pointer = 0;
  #received: number[] = [];
  #isWriting = false;

  /** `storage`: its cells, `EEPROM_BYTES` of them; default: new ones, in memory. */
  constructor(clock: Clock, address = 0x50, storage: FlashStorage = memoryFlash(EEPROM_BYTES)) {
    this.address = address;
    this.#array = new EepromArray(clock, storage);
  }

  /** The content, as a programmer that reads the part would find it. */
  get content(): Uint8Array {
    return this.#array.bytes;
  }

  start(direction: 'read' | 'write'): 'ack' | 'nack' {
    this.#point();
    if (this.#array.isBusy) return 'nack';
    this.#isWriting = direction === 'write';
    this.#received = [];
    return 'ack';
  }

  write(byte: number): boolean {
    this.#received.push(byte);
    return true;
  }

  read(): number {
    const byte = this.#array.read(this.#pointer);
    this.#pointer = (this.#pointer + 1) % EEPROM_BYTES;
    return byte;
  }

  stop(): void {
    if (this.#isWriting && this.#received.length > 2) {
      const [high = 0, low = 0, ...data] = this.#received;
      const address = ((high << 8) | low) % EEPROM_BYTES;
      this.#array.write(address, data);
      this.#pointer = (address + data.length) % EEPROM_BYTES;
    } else this.#point();
    this.#received = [];
    this.#isWriting = false;
  }

  /** A write of the address alone, as it precedes a read. */
  #point(): void {
    const [high, low] = this.#received;
    if (this.#isWriting && high !== undefined && low !== undefined)
      this.#pointer = ((high << 8) | low) % EEPROM_BYTES;
  }
}

/** Instructions of the 25xx256. */
const WRITE_STATUS = 0x01;
const WRITE = 0x02;
const READ = 0x03;
const WRITE_DISABLE = 0x04;
const READ_STATUS = 0x05;
const WRITE_ENABLE = 0x06;

/**
 * An EEPROM of the 25xx256 kind. A write needs WREN before it each time, and happens when the part is deselected;
 * RDSR b0 is set during the write cycle, b1 while writing is enabled.
 */
export class SpiEepromModel implements SpiDevice {
  readonly modes = [0, 3];
  readonly selectLevel = 0;
  readonly #array: EepromArray;
  #isWriteEnabled = false;
  #protection = 0;
  #received: number[] = [];

  /** `storage`: as above. */
  constructor(clock: Clock, storage: FlashStorage = memoryFlash(EEPROM_BYTES)) {
    this.#array = new EepromArray(clock, storage);
  }

  get content(): Uint8Array {
    return this.#array.bytes;
  }

  select(): void {
    this.#received = [];
  }

  exchange(byte: number): number {
    this.#received.push(byte);
    const [instruction, high = 0, low = 0] = this.#received;
    const position = this.#received.length - 1;
    if (instruction === READ_STATUS && position > 0)
      return this.#protection | (this.#array.isBusy ? 1 : 0) | (this.#isWriteEnabled ? 2 : 0);
    if (instruction === READ && position > 2 && !this.#array.isBusy)
      return this.#array.read(((high << 8) | low) + position - 3);
    return 0xff;
  }

  deselect(): void {
    const [instruction, high = 0, low = 0, ...data] = this.#received;
    this.#received = [];
    if (this.#array.isBusy) return;
    if (instruction === WRITE_ENABLE) this.#isWriteEnabled = true;
    else if (instruction === WRITE_DISABLE) this.#isWriteEnabled = false;
    else if (this.#isWriteEnabled && instruction === WRITE && data.length > 0) {
      const address = ((high << 8) | low) % EEPROM_BYTES;
      if (!this.#isProtected(address)) this.#array.write(address, data);
      this.#isWriteEnabled = false;
    } else if (this.#isWriteEnabled && instruction === WRITE_STATUS) {
      this.#protection = high & 0x8c;
      this.#isWriteEnabled = false;
    }
  }

  /** Bits 2 and 3 of the status protect the upper quarter, the upper half, or everything. */
  #isProtected(address: number): boolean {
    const protectedBytes =
      [0, EEPROM_BYTES / 4, EEPROM_BYTES / 2, EEPROM_BYTES][(this.#protection >> 2) & 3] ?? 0;
    return address >= EEPROM_BYTES - protectedBytes;
  }
}

import { FLASH_PAGE, FLASH_SECTOR } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';
import type { PowerSupply } from './power.ts';
import { seededBytes } from './seeded.ts';

/** Where the bits of a flash lie: in memory or in a file. Knows nothing of NOR rules or power. */
export interface FlashStorage {
  /** Bytes; whole sectors. */
  readonly size: number;
  /** A copy of `length` bytes; never written bytes are 0xFF. */
  read(offset: number, length: number): Uint8Array;
  /** Replaces bytes; in one piece as far as a killed process is concerned. At most a sector, within one sector. */
  write(offset: number, bytes: Uint8Array): void;
  close(): void;
}

/** How a flash ages: a plan, like that of the power supply's faults, so that a test says when what wears out. */
export interface FlashWear {
  /** Erasures that sectors stand: each its own number, from this one to twice as many. */
  readonly endurance: number;
  /** Reads of a sector since it was erased after which one of its bits is cleared by itself; absent: never. */
  readonly readsToDisturb?: number;
  readonly seed: number;
}

/**
 * NOR flash: erasing a sector (4 KiB) sets all its bits, programming a page (256 bytes) only clears bits.
 * Each page programmed and each sector erased is one operation, at which power may fail. The controller reads back what
 * it did: a worn sector that did not take it throws `FlashWorn`.
 */
export class Flash {
  readonly #storage: FlashStorage;
  readonly #power: PowerSupply;
  /** How often each sector was erased since the chip was opened. */
  readonly #erasures = new Map<number, number>();

  readonly #reads = new Map<number, number>();
  #wear: FlashWear | null = null;
  readonly #worn = new Set<number>();

  constructor(storage: FlashStorage, power: PowerSupply) {
    this.#storage = storage;
    this.#power = power;
  }

  /** From now on it ages so; null: it does not age, and what is worn is as new. */
  layWear(wear: FlashWear | null): void {
    this.#wear = wear;
    this.#worn.clear();
    this.#erasures.clear();
    this.#reads.clear();
  }

  /** The sector at `offset` is worn out from now on. */
  wearOut(offset: number): void {
    this.#worn.add(Math.floor(offset / FLASH_SECTOR));
  }

  get size(): number {
    return this.#storage.size;
  }

  /** A copy of `length` bytes. */
  read(offset: number, length: number): Uint8Array {
    this.#power.check();
    this.#within(offset, length);
    this.#disturb(offset, length);
    return this.#storage.read(offset, length);
  }

  /** Programs bytes, page by page in order: new content = old AND `bytes`. */
  program(offset: number, bytes: Uint8Array): void {
    this.#within(offset, bytes.length);
    for (let done = 0; done < bytes.length;) {
      const at = offset + done;
      const length = Math.min(FLASH_PAGE - (at % FLASH_PAGE), bytes.length - done);
      this.#programPage(at, bytes.subarray(done, done + length));
      done += length;
    }
  }

  /** Erases whole sectors, one after the other. */
  erase(offset: number, length: number): void {
    this.#within(offset, length);
    if (offset % FLASH_SECTOR !== 0 || length % FLASH_SECTOR !== 0) {
      throw new SiliconError('OutOfRange', 'Only whole sectors can be erased.', {
        rule: `multiples of ${FLASH_SECTOR}`,
      });
    }
    for (let at = offset; at < offset + length; at += FLASH_SECTOR) this.#eraseSector(at);
  }

  /** Erasures of the sector at `offset` since the chip was opened. */
  erasures(offset: number): number {
    return this.#erasures.get(Math.floor(offset / FLASH_SECTOR)) ?? 0;
  }

  #programPage(offset: number, bytes: Uint8Array): void {
    const course = this.#power.begin();
    const old = this.#storage.read(offset, bytes.length);
    const random = course.kind === 'torn' ? course.random : null;
    // Torn: each bit that was to be cleared may or may not be.
    const cleared = bytes.map((byte, index) => (old[index] ?? 0) & (byte | (random?.byte() ?? 0)));
    const isWorn = this.#isWorn(offset);
    if (isWorn) stick(cleared, offset, (index) => old[index] ?? 0);
    this.#storage.write(offset, cleared);
    this.#finish(course, offset);
    if (isWorn && cleared.some((byte, index) => byte !== ((old[index] ?? 0) & (bytes[index] ?? 0))))
      throw worn(offset, 'programmed');
  }

  #eraseSector(offset: number): void {
    const course = this.#power.begin();
    const sector = Math.floor(offset / FLASH_SECTOR);
    this.#erasures.set(sector, (this.#erasures.get(sector) ?? 0) + 1);
    const erased = new Uint8Array(FLASH_SECTOR).fill(0xff);
    if (course.kind === 'torn') {
      // Torn: the first part is erased, a part in the middle partly, the rest not at all.
      const old = this.#storage.read(offset, FLASH_SECTOR);
      const from = course.random.below(FLASH_SECTOR);
      const to = from + course.random.below(FLASH_SECTOR - from);
      for (let at = from; at < FLASH_SECTOR; at++) {
        erased[at] = (old[at] ?? 0) | (at < to ? course.random.byte() : 0);
      }
    }
    const isWorn = this.#isWorn(offset);
    if (isWorn) stick(erased, offset, () => 0);
    this.#storage.write(offset, erased);
    this.#reads.delete(sector);
    this.#finish(course, offset);
    if (isWorn) throw worn(offset, 'erased');
  }

  #isWorn(offset: number): boolean {
    const sector = Math.floor(offset / FLASH_SECTOR);
    if (this.#worn.has(sector)) return true;
    if (this.#wear === null) return false;
    const { endurance, seed } = this.#wear;
    const stands = endurance + seededBytes(seed + sector).below(endurance + 1);
    if (this.erasures(offset) > stands) this.#worn.add(sector);
    return this.#worn.has(sector);
  }

  /** Reading clears bits as well, if only after very many reads. */
  #disturb(offset: number, length: number): void {
    const { readsToDisturb, seed } = this.#wear ?? { readsToDisturb: undefined, seed: 0 };
    if (readsToDisturb === undefined || length === 0) return;
    const last = Math.floor((offset + length - 1) / FLASH_SECTOR);
    for (let sector = Math.floor(offset / FLASH_SECTOR); sector <= last; sector++) {
      const reads = (this.#reads.get(sector) ?? 0) + 1;
      this.#reads.set(sector, reads);
      if (reads % readsToDisturb !== 0) continue;
      const random = seededBytes(seed + sector * 31 + reads);
      const at = sector * FLASH_SECTOR + random.below(FLASH_SECTOR);
      const [byte = 0] = this.#storage.read(at, 1);
      this.#storage.write(at, Uint8Array.of(byte & ~(1 << random.below(8))));
    }
  }

  #finish(course: ReturnType<PowerSupply['begin']>, offset: number): void {
    if (course.kind === 'torn') this.#power.cut();
    if (course.kind === 'rot') {
      this.flipBit(
        offset - (offset % FLASH_SECTOR) + course.random.below(FLASH_SECTOR),
        course.random.below(8),
      );
    }
  }

  /** Bit rot: one bit changes by itself, against all rules and without any operation. */
  flipBit(offset: number, bit: number): void {
    this.#within(offset, 1);
    const [byte = 0] = this.#storage.read(offset, 1);
    this.#storage.write(offset, Uint8Array.of(byte ^ (1 << bit)));
  }

  #within(offset: number, length: number): void {
    const isWithin =
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.size;
    if (!isWithin) {
      throw new SiliconError('OutOfRange', `Flash has no bytes ${offset} to ${offset + length}.`, {
        rule: `within ${this.size} bytes`,
      });
    }
  }
}

/** Some bits of a worn sector stay as they were: the same ones each time. */
function stick(bytes: Uint8Array, offset: number, old: (index: number) => number): void {
  const random = seededBytes(offset);
  for (let count = 0; count < 3; count++) {
    const index = random.below(bytes.length);
    const mask = 1 << random.below(8);
    bytes[index] = ((bytes[index] ?? 0) & ~mask) | (old(index) & mask);
  }
}

function worn(offset: number, what: string): SiliconError {
  return new SiliconError('FlashWorn', `The flash at ${offset} is worn out: it could not be ${what}.`, {
    field: 'offset',
  });
}

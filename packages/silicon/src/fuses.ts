import {
  IMAGE_TYPES,
  MAX_SECURITY_VERSION,
  SYSTEM_IMAGE_TYPES,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { SiliconError } from './errors.ts';
import type { PowerSupply } from './power.ts';

/** Where the fuse bits lie; what is written is there for good once `write` returned. */
export interface FuseStorage {
  read(): Uint8Array;
  write(offset: number, value: number): void;
  close(): void;
}

/** Bytes of the fuse array. */
export const FUSE_BYTES = 256;

/** The fields of the fuse array: offset and length in bytes. Data, so that it can be listed. */
export const FUSE_FIELDS = {
  /** Thermometer: bit 0 Module1Complete, bit 1 DeviceComplete. */
  manufacturingState: { offset: 0, length: 1 },
  /** One bit a field below; once set, the field's bits can no longer change. */
  locks: { offset: 1, length: 1 },
  /** Bit 0: images of the system carry a second signature (ML-DSA-65). */
  bootPolicy: { offset: 2, length: 1 },
  chipSku: { offset: 4, length: 4 },
  /** SHA-256 of the root key's SPKI: whoever holds that key decides what boots. */
  rootKeyHash: { offset: 8, length: 32 },
  /** What the identity key is derived from. Wired to Pluton's key engine and to nothing else. */
  identitySeed: { offset: 40, length: 32 },
  /** Thermometer counters, 128 bits for each system image type. */
  securityVersions: { offset: 96, length: 16 * SYSTEM_IMAGE_TYPES.length },
  /** Thermometer: the epoch of Pluton's counters in flash, 512 bits for the life of the product. */
  stateEpoch: { offset: 192, length: 64 },
} as const;

const LOCK_BITS = { chipSku: 0, rootKeyHash: 1, identitySeed: 2 } as const;
type LockedField = keyof typeof LOCK_BITS;

/** Where a chip stands on its way out of the factory: one way only (azure-sphere.md §9.1). */
export const MANUFACTURING_STATES = ['Blank', 'Module1Complete', 'DeviceComplete'] as const;
export type ManufacturingState = (typeof MANUFACTURING_STATES)[number];

/** One-time bits: a burnt bit never returns. Each byte burnt is one operation, at which power may fail. */
export class Fuses {
  readonly #storage: FuseStorage;
  readonly #power: PowerSupply;
  readonly #array: Uint8Array;

  constructor(storage: FuseStorage, power: PowerSupply) {
    this.#storage = storage;
    this.#power = power;
    this.#array = storage.read();
    if (this.#array.length !== FUSE_BYTES) {
      throw new SiliconError('StorageUnusable', `The fuse array has ${this.#array.length} bytes.`, {
        rule: `${FUSE_BYTES} bytes`,
      });
    }
  }

  get manufacturingState(): ManufacturingState {
    const [bits = 0] = this.#field('manufacturingState');
    if ((bits & 2) !== 0) return 'DeviceComplete';
    return (bits & 1) === 0 ? 'Blank' : 'Module1Complete';
  }

  /** Goes on to a later state, or stays. Throws `FuseOneWay` for an earlier one. */
  setManufacturingState(state: ManufacturingState): void {
    const order = MANUFACTURING_STATES.indexOf(state);
    if (order < MANUFACTURING_STATES.indexOf(this.manufacturingState)) {
      throw new SiliconError(
        'FuseOneWay',
        `A chip that is ${this.manufacturingState} cannot become ${state} again.`,
      );
    }
    if (order > 0) this.#burn(FUSE_FIELDS.manufacturingState.offset, (1 << order) - 1);
  }

  /** True: only images of the system with two signatures run here. */
  get needsSecondSignature(): boolean {
    return ((this.#field('bootPolicy')[0] ?? 0) & 1) !== 0;
  }

  /** From now on two signatures: there is no way back. */
  requireSecondSignature(): void {
    this.#burn(FUSE_FIELDS.bootPolicy.offset, 1);
  }

  /** 0 while not manufactured. */
  get chipSku(): number {
    const field = this.#field('chipSku');
    return new DataView(field.buffer, field.byteOffset).getUint32(0, true);
  }

  get rootKeyHash(): Uint8Array {
    return this.#field('rootKeyHash').slice();
  }

  /** For Pluton's key engine only; null until the field is complete. */
  get identitySeed(): Uint8Array | null {
    return this.isLocked('identitySeed') ? this.#field('identitySeed').slice() : null;
  }

  isLocked(field: LockedField): boolean {
    return ((this.#field('locks')[0] ?? 0) & (1 << LOCK_BITS[field])) !== 0;
  }

  /**
   * Burns a field and then its lock. After a power cut in between, burning the same value again completes it.
   * Throws `FuseLocked` if the field holds another value already.
   */
  burnOnce(field: LockedField, value: Uint8Array): void {
    const { offset, length } = FUSE_FIELDS[field];
    if (value.length !== length)
      throw new SiliconError('BadArgument', `Fuse field ${field} has ${length} bytes.`, { field });
    const present = this.#field(field);
    if (this.isLocked(field)) {
      if (value.every((byte, index) => byte === present[index])) return;
      throw new SiliconError('FuseLocked', `Fuse field ${field} is burnt and locked.`, { field });
    }
    if (present.some((byte, index) => (byte & ~(value[index] ?? 0)) !== 0)) {
      throw new SiliconError('FuseOneWay', `Fuse field ${field} holds bits that this value lacks.`, {
        field,
      });
    }
    value.forEach((byte, index) => this.#burn(offset + index, byte));
    this.#burn(FUSE_FIELDS.locks.offset, 1 << LOCK_BITS[field]);
  }

  /**
   * As `burnOnce`, but over whatever bits a cut left there: for random seeds, which stay unforeseeable
   * when another one is burnt on top. These bits are put into `seed`, which stays the caller's to wipe.
   */
  burnSeed(seed: Uint8Array): void {
    if (this.isLocked('identitySeed')) return;
    const present = this.#field('identitySeed');
    present.forEach((byte, index) => {
      seed[index] = (seed[index] ?? 0) | byte;
    });
    this.burnOnce('identitySeed', seed);
  }

  /** The counter of one image type: the least security version that may still run. */
  securityVersion(type: SystemImageTypeName): number {
    return countBits(this.#thermometer(type));
  }

  /** Raises a counter, bit by bit; never lowers it. */
  raiseSecurityVersion(type: SystemImageTypeName, version: number): void {
    if (!Number.isInteger(version) || version < 0 || version > MAX_SECURITY_VERSION) {
      throw new SiliconError('OutOfRange', `Security version ${version} does not fit the counter.`, {
        rule: `0 to ${MAX_SECURITY_VERSION}`,
      });
    }
    const start = FUSE_FIELDS.securityVersions.offset + SYSTEM_IMAGE_TYPES.indexOf(type) * 16;
    for (let bit = 0; bit < MAX_SECURITY_VERSION && this.securityVersion(type) < version; bit++) {
      this.#burn(start + (bit >> 3), 1 << (bit & 7));
    }
  }

  /** The epoch that Pluton's state in flash must be of. */
  get stateEpoch(): number {
    return countBits(this.#field('stateEpoch'));
  }

  /** Raises the epoch by one. Throws `FuseOneWay` when every bit of it is burnt. */
  raiseStateEpoch(): void {
    const field = this.#field('stateEpoch');
    const index = field.findIndex((byte) => byte !== 0xff);
    if (index < 0) {
      throw new SiliconError('FuseOneWay', 'Every fuse of the state epoch is burnt.', {
        rule: `at most ${field.length * 8}`,
      });
    }
    const byte = field[index] ?? 0;
    // The lowest bit that is not burnt.
    this.#burn(FUSE_FIELDS.stateEpoch.offset + index, ~byte & (byte + 1));
  }

  /** All counters by image type number, as `readFuses` reports them. */
  securityVersions(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      SYSTEM_IMAGE_TYPES.map((type) => [String(IMAGE_TYPES[type]), this.securityVersion(type)]),
    );
  }

  #field(name: keyof typeof FUSE_FIELDS): Uint8Array {
    const { offset, length } = FUSE_FIELDS[name];
    return this.#array.subarray(offset, offset + length);
  }

  #thermometer(type: SystemImageTypeName): Uint8Array {
    const index = SYSTEM_IMAGE_TYPES.indexOf(type);
    return this.#field('securityVersions').subarray(index * 16, index * 16 + 16);
  }

  #burn(offset: number, bits: number): void {
    const old = this.#array[offset] ?? 0;
    if ((old | bits) === old) return;
    const course = this.#power.begin();
    const burnt = old | (course.kind === 'torn' ? bits & course.random.byte() : bits);
    this.#storage.write(offset, burnt);
    this.#array[offset] = burnt;
    if (course.kind === 'torn') this.#power.cut();
  }
}

/** Of a thermometer; counts, so that a fuse that failed to burn in the middle does not set it back. */
function countBits(field: Uint8Array): number {
  let bits = 0;
  for (const byte of field) for (let bit = 0; bit < 8; bit++) bits += (byte >> bit) & 1;
  return bits;
}

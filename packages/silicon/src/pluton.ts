import type { Entropy } from '@sevenfold/formats';
import { exportPrivateKey, keyFromSeed, sha256, signP256, type KeyPair } from './engines.ts';
import { EntropySource } from './entropy-source.ts';
import { SiliconError } from './errors.ts';
import type { Fuses } from './fuses.ts';

/** What is extended into the measurement registers: one loaded image. */
export type Measurement = {
  readonly imageType: number;
  readonly name: string;
  /** SHA-256 of the image package. */
  readonly digest: Uint8Array;
  /** SHA-256 of the signer's SPKI. */
  readonly signerId: Uint8Array;
  readonly securityVersion: number;
};

/** Slots for session keys. */
export const KEY_SLOTS = 8;
/** Measurement registers. */
export const MEASUREMENT_REGISTERS = 16;

/**
 * Pluton's hardware: identity key, key slots, measurement registers, entropy. Private halves are used in here and
 * have no way out, but for session keys, which are made to be exported once.
 */
export class PlutonHardware {
  readonly #fuses: Fuses;
  readonly #entropy: EntropySource;
  readonly #slots = new Map<number, KeyPair>();
  readonly #measurements: Measurement[] = [];
  #identity: KeyPair | null = null;
  #bootSeed: Uint8Array | null = null;

  constructor(fuses: Fuses, noise: Entropy) {
    this.#fuses = fuses;
    this.#entropy = new EntropySource(noise, sha256);
  }

  /** Clears everything that does not survive a reset. */
  reset(): void {
    this.#slots.clear();
    this.#measurements.length = 0;
    this.#identity = null;
    this.#bootSeed = null;
    this.#entropy.reset();
  }

  /** Makes the identity of a new chip from its own entropy and burns its seed. Once; then it stays. */
  createIdentity(): void {
    if (!this.#fuses.isLocked('identitySeed')) this.#fuses.burnSeed(this.#entropy.random(32));
  }

  #identityKey(): KeyPair {
    if (this.#identity === null) {
      const seed = this.#fuses.identitySeed;
      if (seed === null) throw new SiliconError('NotManufactured', 'This chip has no identity yet.');
      this.#identity = keyFromSeed(seed, 'sevenfold identity key v1');
      seed.fill(0);
    }
    return this.#identity;
  }

  /** SPKI of the attestation key. */
  get identitySpki(): Uint8Array {
    return this.#identityKey().spki.slice();
  }

  /** r‖s over SHA-256 of `message`, by the attestation key. */
  signIdentity(message: Uint8Array): Uint8Array {
    return signP256(this.#identityKey(), message);
  }

  /** A fresh key pair in a free slot. */
  makeKey(): { readonly slot: number; readonly spki: Uint8Array } {
    for (let slot = 0; slot < KEY_SLOTS; slot++) {
      if (this.#slots.has(slot)) continue;
      const key = keyFromSeed(this.#entropy.random(32), 'sevenfold session key v1');
      this.#slots.set(slot, key);
      return { slot, spki: key.spki.slice() };
    }
    throw new SiliconError('KeySlotsFull', `All ${KEY_SLOTS} key slots are in use.`, {
      rule: 'export or reset',
    });
  }

  signKey(slot: number, message: Uint8Array): Uint8Array {
    return signP256(this.#slot(slot), message);
  }

  /** PKCS#8; the slot is emptied. */
  exportKey(slot: number): Uint8Array {
    const key = exportPrivateKey(this.#slot(slot));
    this.#slots.delete(slot);
    return key;
  }

  random(length: number): Uint8Array {
    return this.#entropy.random(length);
  }

  /** 32 random bytes that stay the same until reset. */
  get bootSeed(): Uint8Array {
    this.#bootSeed ??= this.#entropy.random(32);
    return this.#bootSeed.slice();
  }

  /** Extends the registers; nothing but a reset takes it back. */
  extendMeasurement(measurement: Measurement): void {
    if (this.#measurements.length === MEASUREMENT_REGISTERS) {
      throw new SiliconError('OutOfRange', 'All measurement registers are extended.', {
        rule: `at most ${MEASUREMENT_REGISTERS} until reset`,
      });
    }
    this.#measurements.push(structuredClone(measurement));
  }

  get measurements(): Measurement[] {
    return structuredClone(this.#measurements);
  }

  #slot(slot: number): KeyPair {
    const key = this.#slots.get(slot);
    if (key === undefined) throw new SiliconError('NoSuchKey', `Key slot ${slot} is empty.`);
    return key;
  }
}

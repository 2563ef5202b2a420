import { IMAGE_TYPES, MAX_SECURITY_VERSION, concatBytes, utf8Encode, type Entropy } from '@sevenfold/formats';
import { HmacDrbg } from './drbg.ts';
import { agreeP256, exportPrivateKey, keyFromSeed, sha256, signP256, type KeyPair } from './engines.ts';
import {
  GCM_NONCE,
  GCM_TAG,
  gcmOpen,
  gcmSeal,
  hkdfSha256,
  hmacSha256,
  type GcmParameters,
} from './engines-symmetric.ts';
import { decryptRsa2048, makeRsa2048, signRsa2048, type RsaKeyPair } from './engines-rsa.ts';
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
/** Slots for RSA keys. */
const RSA_SLOTS = 2;
/** Measurement registers. */
export const MEASUREMENT_REGISTERS = 16;

/** Requests of the generator between two reseedings. */
const RESEED_INTERVAL = 1024;
/** Bytes of the salt that makes each session key and each sealed box one of its own. */
export const SALT_BYTES = 32;

/**
 * What each secret is derived for. Every one begins with a name of its own, so that none can ever stand for another;
 * to change one is to lose what was made with it.
 */
const PURPOSES = {
  attestation: 'sevenfold identity key v1',
  general: 'sevenfold general key v1',
  session: 'sevenfold session key v2',
  seal: 'sevenfold sealing key v1',
  state: 'sevenfold state key v1',
  delivery: 'sevenfold delivery key v1',
  version: 'sevenfold runtime version v1',
} as const;
/** What stands before every message that the general key signs: no such message is a token. */
const RECORD_PREFIX = utf8Encode('sevenfold device record v1\0');

/**
 * Pluton's hardware: the chip's two key pairs, key slots, measurement registers, entropy. Private halves are used in
 * here and have no way out, but for session keys, which are made to be exported once.
 */
export class PlutonHardware {
  readonly #fuses: Fuses;
  readonly #entropy: EntropySource;
  readonly #slots = new Map<number, KeyPair>();
  readonly #rsaSlots = new Map<number, RsaKeyPair>();
  readonly #measurements: Measurement[] = [];
  readonly #pairs = new Map<'attestation' | 'general', KeyPair>();
  #drbg: HmacDrbg | null = null;
  #bootSeed: Uint8Array | null = null;

  constructor(fuses: Fuses, noise: Entropy) {
    this.#fuses = fuses;
    this.#entropy = new EntropySource(noise, sha256);
  }

  /** Clears everything that does not survive a reset. */
  reset(): void {
    this.#slots.clear();
    this.#rsaSlots.clear();
    this.#measurements.length = 0;
    this.#pairs.clear();
    this.#bootSeed?.fill(0);
    this.#bootSeed = null;
    this.#drbg?.wipe();
    this.#drbg = null;
    this.#entropy.reset();
  }

  /** Makes the identity of a new chip from its own entropy and burns its seed. Once; then it stays. */
  createIdentity(): void {
    if (this.#fuses.isLocked('identitySeed')) return;
    const seed = this.random(32, true);
    try {
      this.#fuses.burnSeed(seed);
    } finally {
      seed.fill(0);
    }
  }

  /** Works on the fused seed, and wipes the copy it worked on. Throws `NotManufactured`. */
  #withSeed<T>(work: (seed: Uint8Array) => T): T {
    const seed = this.#fuses.identitySeed;
    if (seed === null) throw new SiliconError('NotManufactured', 'This chip has no identity yet.');
    try {
      return work(seed);
    } finally {
      seed.fill(0);
    }
  }

  #derive(purpose: keyof typeof PURPOSES, salt: Uint8Array, context: Uint8Array, length: number): Uint8Array {
    const info = concatBytes(utf8Encode(`${PURPOSES[purpose]}\0`), context);
    return this.#withSeed((seed) => hkdfSha256(seed, salt, info, length));
  }

  /** Security version of the Pluton runtime that the ROM measured; 0 before. */
  get #runtimeVersion(): number {
    const versions = this.#measurements
      .filter(({ imageType }) => imageType === IMAGE_TYPES.PlutonRuntime)
      .map(({ securityVersion }) => Math.min(securityVersion, MAX_SECURITY_VERSION));
    return versions.length === 0 ? 0 : Math.min(...versions);
  }

  /**
   * As `#derive`, out of the link of a hash chain that belongs to a version of the runtime: a runtime reaches the
   * links of its own and of all lower versions, so that an older one with a hole never holds a newer one's secrets.
   */
  #deriveFor(
    version: number,
    purpose: 'seal' | 'session',
    salt: Uint8Array,
    context: Uint8Array,
    length: number,
  ): Uint8Array {
    const none = new Uint8Array(0);
    let link = this.#derive('version', none, none, 32);
    for (let at = MAX_SECURITY_VERSION; at > version; at--) {
      const lower = hmacSha256(link, utf8Encode(PURPOSES.version));
      link.fill(0);
      link = lower;
    }
    const derived = hkdfSha256(
      link,
      salt,
      concatBytes(utf8Encode(`${PURPOSES[purpose]}\0`), context),
      length,
    );
    link.fill(0);
    return derived;
  }

  #pair(name: 'attestation' | 'general'): KeyPair {
    const present = this.#pairs.get(name);
    if (present !== undefined) return present;
    const pair = this.#withSeed((seed) => keyFromSeed(seed, PURPOSES[name]));
    this.#pairs.set(name, pair);
    return pair;
  }

  /** SPKI of the attestation key. */
  get identitySpki(): Uint8Array {
    return this.#pair('attestation').spki.slice();
  }

  /** r‖s over SHA-256 of `message`, by the attestation key. */
  signIdentity(message: Uint8Array): Uint8Array {
    return signP256(this.#pair('attestation'), message);
  }

  /** SPKI of the general key: what is signed or agreed with it never counts as attestation. */
  get generalSpki(): Uint8Array {
    return this.#pair('general').spki.slice();
  }

  /** r‖s over SHA-256 of a prefix and `record`, by the general key. */
  signRecord(record: Uint8Array): Uint8Array {
    return signP256(this.#pair('general'), concatBytes(RECORD_PREFIX, record));
  }

  /**
   * What somebody sealed to this chip's general key: one-pass ECDH with the sender's ephemeral key (SP 800-56A
   * §6.2.2.2), HKDF over both public halves and the context, AES-256-GCM. `box`: nonce, ciphertext, tag.
   * Throws `BadArgument`, `NotAuthentic`.
   */
  openDelivery(ephemeralSpki: Uint8Array, context: Uint8Array, box: Uint8Array): Uint8Array {
    const pair = this.#pair('general');
    const shared = agreeP256(pair, ephemeralSpki);
    const info = concatBytes(
      utf8Encode(`${PURPOSES.delivery}\0`),
      sha256(ephemeralSpki),
      sha256(pair.spki),
      sha256(context),
    );
    const key = hkdfSha256(shared, new Uint8Array(0), info, 32);
    shared.fill(0);
    try {
      const nonce = box.subarray(0, GCM_NONCE);
      return gcmOpen({ key, nonce, associated: context }, box.subarray(GCM_NONCE));
    } finally {
      key.fill(0);
    }
  }

  /**
   * The key pair of this chip, this context and this salt in a free slot; without a salt, one that nobody had before.
   * The same salt under another context is another key.
   */
  makeKey(
    context: Uint8Array,
    salt: Uint8Array | null,
  ): { readonly slot: number; readonly spki: Uint8Array; readonly salt: Uint8Array } {
    for (let slot = 0; slot < KEY_SLOTS; slot++) {
      if (this.#slots.has(slot)) continue;
      const used = salt ?? this.random(SALT_BYTES, true);
      const seed = this.#deriveFor(this.#runtimeVersion, 'session', used, context, 32);
      const key = keyFromSeed(seed, PURPOSES.session);
      seed.fill(0);
      this.#slots.set(slot, key);
      return { slot, spki: key.spki.slice(), salt: used.slice() };
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

  /**
   * A new RSA-2048 pair in a free slot of its own kind, held until it is dropped or reset; its private half is never
   * exported. Throws `KeySlotsFull`, and `EntropyFailure` as every key does.
   */
  makeRsaKey(): { readonly slot: number; readonly spki: Uint8Array } {
    for (let slot = 0; slot < RSA_SLOTS; slot++) {
      if (this.#rsaSlots.has(slot)) continue;
      // The engine draws its own noise: it may when the chip's source is sound.
      this.random(SALT_BYTES, true).fill(0);
      const key = makeRsa2048();
      this.#rsaSlots.set(slot, key);
      return { slot, spki: key.spki.slice() };
    }
    throw new SiliconError('KeySlotsFull', `All ${RSA_SLOTS} slots for RSA keys are in use.`, {
      rule: 'drop or reset',
    });
  }

  signRsa(slot: number, message: Uint8Array): Uint8Array {
    return signRsa2048(this.#rsaSlot(slot), message);
  }

  /** Throws `NotAuthentic`. */
  decryptRsa(slot: number, encrypted: Uint8Array): Uint8Array {
    return decryptRsa2048(this.#rsaSlot(slot), encrypted);
  }

  dropRsaKey(slot: number): void {
    this.#rsaSlot(slot);
    this.#rsaSlots.delete(slot);
  }

  /**
   * AES-256-GCM under a key of this chip, this version of the runtime, this context and a salt of its own: version,
   * salt, ciphertext, tag. The context is authenticated with it.
   */
  seal(context: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const version = this.#runtimeVersion;
    const salt = this.random(SALT_BYTES);
    return this.#withBoxKey(version, salt, context, (parameters) =>
      concatBytes(Uint8Array.of(version), salt, gcmSeal(parameters, plaintext)),
    );
  }

  /** What was sealed by this very chip under this very context, by no newer runtime. Throws `NotAuthentic`. */
  unseal(context: Uint8Array, box: Uint8Array): Uint8Array {
    const [version = 0] = box;
    if (box.length < 1 + SALT_BYTES + GCM_TAG || version > this.#runtimeVersion) {
      throw new SiliconError('NotAuthentic', 'This is no box that this runtime may open.', { field: 'box' });
    }
    return this.#withBoxKey(version, box.subarray(1, 1 + SALT_BYTES), context, (parameters) =>
      gcmOpen(parameters, box.subarray(1 + SALT_BYTES)),
    );
  }

  #withBoxKey<T>(
    version: number,
    salt: Uint8Array,
    context: Uint8Array,
    work: (parameters: GcmParameters) => T,
  ): T {
    // One key and nonce for each salt: they never meet another text.
    const derived = this.#deriveFor(version, 'seal', salt, sha256(context), 32 + GCM_NONCE);
    try {
      return work({ key: derived.subarray(0, 32), nonce: derived.subarray(32), associated: context });
    } finally {
      derived.fill(0);
    }
  }

  /** HMAC-SHA-256 under a key of this chip that is for Pluton's own state in flash. */
  authenticate(message: Uint8Array): Uint8Array {
    const key = this.#derive('state', new Uint8Array(0), new Uint8Array(0), 32);
    const mac = hmacSha256(key, message);
    key.fill(0);
    return mac;
  }

  /**
   * Random bytes out of the generator. `fresh`: it takes new entropy in first, as every key does. Throws
   * `EntropyFailure` when the source has failed, though the generator could go on: what it would give is not known
   * to be unforeseeable any more.
   */
  random(length: number, fresh = false): Uint8Array {
    this.#entropy.watch();
    this.#drbg ??= new HmacDrbg({
      hmac: hmacSha256,
      entropy: (wanted) => this.#entropy.entropy(wanted),
      personalization: utf8Encode('sevenfold pluton v1'),
      reseedInterval: RESEED_INTERVAL,
    });
    return this.#drbg.generate(length, { predictionResistance: fresh });
  }

  /** 32 random bytes that stay the same until reset. */
  get bootSeed(): Uint8Array {
    this.#bootSeed ??= this.random(32, true);
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

  #rsaSlot(slot: number): RsaKeyPair {
    const key = this.#rsaSlots.get(slot);
    if (key === undefined) throw new SiliconError('NoSuchKey', `RSA slot ${slot} is empty.`);
    return key;
  }

  #slot(slot: number): KeyPair {
    const key = this.#slots.get(slot);
    if (key === undefined) throw new SiliconError('NoSuchKey', `Key slot ${slot} is empty.`);
    return key;
  }
}

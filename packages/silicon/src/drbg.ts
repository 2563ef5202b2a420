import { concatBytes } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';

/** HMAC-SHA-256. */
type Hmac = (key: Uint8Array, message: Uint8Array) => Uint8Array;

/** What the generator stands on. */
export interface DrbgParts {
  readonly hmac: Hmac;
  /** `length` bytes with full entropy; throws when the source has failed. */
  readonly entropy: (length: number) => Uint8Array;
  /** Sets this generator apart from any other on the same source. */
  readonly personalization: Uint8Array;
  /** Requests between two reseedings; at most 2^48 (SP 800-90A table 2). */
  readonly reseedInterval: number;
}

/** How one request is answered. */
export interface DrbgRequest {
  readonly additionalInput?: Uint8Array;
  /** Reseed first: what leaked of the state before tells nothing about this output (§9.3.1). */
  readonly predictionResistance?: boolean;
}

/** Bytes of the security strength, 256 bits: SHA-256's (SP 800-57 part 1, table 3). */
const STRENGTH = 32;
/** SP 800-90A table 2: at most 2^19 bits a request. */
const MOST_BYTES = 65_536;
const NONE = new Uint8Array(0);

/** HMAC_DRBG with SHA-256 at 256 bits of strength (SP 800-90A Rev. 1 §10.1.2). */
export class HmacDrbg {
  readonly #parts: DrbgParts;
  #key: Uint8Array = new Uint8Array(STRENGTH);
  #value: Uint8Array = new Uint8Array(STRENGTH).fill(0x01);
  #requests = 1;

  /** Instantiates (§10.1.2.3): entropy input, then a nonce of half the strength from the same source. */
  constructor(parts: DrbgParts) {
    this.#parts = parts;
    const input = parts.entropy(STRENGTH);
    const nonce = parts.entropy(STRENGTH / 2);
    this.#update(input, nonce, parts.personalization);
    input.fill(0);
    nonce.fill(0);
  }

  /** Takes fresh entropy in (§10.1.2.4). Throws what the source throws, and then the state stays as it was. */
  reseed(additionalInput: Uint8Array = NONE): void {
    const input = this.#parts.entropy(STRENGTH);
    this.#update(input, additionalInput);
    input.fill(0);
    this.#requests = 1;
  }

  /** `length` bytes (§10.1.2.5, §9.3.1), at most 65,536. Throws `OutOfRange`, or what the source throws. */
  generate(
    length: number,
    { additionalInput = NONE, predictionResistance = false }: DrbgRequest = {},
  ): Uint8Array {
    if (length > MOST_BYTES) {
      throw new SiliconError('OutOfRange', `One request yields no ${length} bytes.`, {
        rule: `at most ${MOST_BYTES} bytes`,
      });
    }
    let additional = additionalInput;
    if (predictionResistance || this.#requests > this.#parts.reseedInterval) {
      this.reseed(additional);
      additional = NONE;
    }
    if (additional.length > 0) this.#update(additional);
    const output = new Uint8Array(length);
    for (let done = 0; done < length; done += STRENGTH) {
      this.#setValue(this.#parts.hmac(this.#key, this.#value));
      output.set(this.#value.subarray(0, Math.min(STRENGTH, length - done)), done);
    }
    this.#update(additional);
    this.#requests += 1;
    return output;
  }

  /** Wipes the state (§9.4); the generator is of no use afterwards. */
  wipe(): void {
    this.#key.fill(0);
    this.#value.fill(0);
  }

  /** §10.1.2.2. */
  #update(...provided: readonly Uint8Array[]): void {
    const { hmac } = this.#parts;
    const isEmpty = provided.every((part) => part.length === 0);
    for (const round of isEmpty ? [0x00] : [0x00, 0x01]) {
      const input = concatBytes(this.#value, Uint8Array.of(round), ...provided);
      const key = hmac(this.#key, input);
      input.fill(0);
      this.#key.fill(0);
      this.#key = key;
      this.#setValue(hmac(this.#key, this.#value));
    }
  }

  #setValue(value: Uint8Array): void {
    this.#value.fill(0);
    this.#value = value;
  }
}

import { concatBytes, utf8Decode, utf8Encode, viewOf } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';

/**
 * Rows of fields, as `packages/sdk/lib/settings.h` and the kernel's own record in flash have them: a u32
 * (little-endian), or bytes after their u32 length.
 */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(untrusted: Uint8Array) {
    this.#bytes = untrusted;
  }

  number(max = 0xffff_ffff): number {
    if (this.#bytes.length - this.#at < 4) return this.#refuse('more fields');
    const value = viewOf(this.#bytes).getUint32(this.#at, true);
    this.#at += 4;
    return value <= max ? value : this.#refuse(`at most ${max}`);
  }

  flag(): boolean {
    return this.number(1) === 1;
  }

  /** Too long is `OutOfBounds`: the documented ERANGE. */
  bytes(max: number): Uint8Array {
    const length = this.number();
    if (length > max)
      throw new KernelError('OutOfBounds', `A field has ${length} bytes, at most ${max} may be.`);
    if (this.#bytes.length - this.#at < length) return this.#refuse('more bytes');
    const found = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    return found;
  }

  text(max: number): string {
    return utf8Decode(this.bytes(max));
  }

  /** Nothing may be left over. */
  end(): void {
    if (this.#at !== this.#bytes.length) this.#refuse('no more fields');
  }

  #refuse(rule: string): never {
    throw new KernelError('BadSetting', `The request is malformed: there must be ${rule}.`, { rule });
  }
}

/** Writes what `FieldReader` reads. */
export class FieldWriter {
  readonly #parts: Uint8Array[] = [];

  number(value: number): this {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value >>> 0, true);
    this.#parts.push(bytes);
    return this;
  }

  flag(value: boolean): this {
    return this.number(value ? 1 : 0);
  }

  bytes(value: Uint8Array): this {
    this.number(value.length);
    this.#parts.push(value);
    return this;
  }

  text(value: string): this {
    return this.bytes(utf8Encode(value));
  }

  /** Seconds since 1970 as two fields, the low half first. */
  seconds(value: number): this {
    return this.number(value % 0x1_0000_0000).number(Math.floor(value / 0x1_0000_0000));
  }

  finish(): Uint8Array {
    return concatBytes(...this.#parts);
  }
}

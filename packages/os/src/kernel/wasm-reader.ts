import { utf8Decode } from '@sevenfold/formats';
import { KernelError } from './errors.ts';

const refuse = (message: string): KernelError => new KernelError('ModuleMalformed', message);

/** A bounded cursor over a WebAssembly binary (core specification §5.2): every read past the end is refused. */
export class WasmReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  byte(): number {
    const value = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (value === undefined) throw refuse(`The module ends at byte ${this.#at}, inside a section.`);
    this.#at += 1;
    return value;
  }

  /** Unsigned LEB128 of at most 32 bits (§5.2.2). */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f)
        throw refuse(`The number before byte ${this.#at} has more than 32 bits.`);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw refuse(`The number before byte ${this.#at} has more than five bytes.`);
  }

  /** A count of items that take at least one byte each: more than fit is refused before anything is allocated. */
  count(): number {
    const count = this.u32();
    if (count > this.#end - this.#at)
      throw refuse(`A list before byte ${this.#at} is longer than its section.`);
    return count;
  }

  bytes(length: number): Uint8Array {
    if (length > this.#end - this.#at)
      throw refuse(`The module ends at byte ${this.#end}, inside a section.`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  name(): string {
    return utf8Decode(this.bytes(this.count()));
  }

  /** A reader over the next `length` bytes, which this one skips. */
  part(length: number): WasmReader {
    const start = this.#at;
    this.bytes(length);
    return new WasmReader(this.#bytes, start, start + length);
  }

  /** Refuses what is left over. */
  end(what: string): void {
    if (!this.isAtEnd) throw refuse(`The ${what} section has bytes left over at byte ${this.#at}.`);
  }
}

import { CallRefused } from './errno.ts';

/**
 * The linear memory of an app, as host calls see it: every pointer is checked against its present size before
 * a byte is touched, and refused with EFAULT.
 */
export class GuestMemory {
  readonly #memory: { readonly buffer: ArrayBufferLike };
  #whole: DataView = new DataView(new ArrayBuffer(0));

  constructor(memory: { readonly buffer: ArrayBufferLike }) {
    this.#memory = memory;
  }

  /** Bytes that it has now. */
  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  /** The bytes themselves, not a copy: do not keep them over an `await`, since memory may grow. */
  bytes(pointer: number, length: number): Uint8Array {
    // Arguments arrive as signed 32-bit numbers.
    const start = pointer >>> 0;
    const size = length >>> 0;
    const buffer = this.#memory.buffer;
    if (start + size > buffer.byteLength) throw new CallRefused('EFAULT');
    return new Uint8Array(buffer, start, size);
  }

  /** Throws EFAULT unless `length` bytes from `pointer` lie in memory: before something is taken that would be lost. */
  require(pointer: number, length: number): void {
    if ((pointer >>> 0) + (length >>> 0) > this.#memory.buffer.byteLength) throw new CallRefused('EFAULT');
  }

  /** A view of the whole memory, once `length` bytes from `pointer` are known to lie in it. */
  #view(pointer: number, length: number): DataView {
    const buffer = this.#memory.buffer;
    // Memory that grew is another buffer, and the old one is detached.
    if (this.#whole.buffer !== buffer) this.#whole = new DataView(buffer);
    if ((pointer >>> 0) + length > this.#whole.byteLength) throw new CallRefused('EFAULT');
    return this.#whole;
  }

  copy(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes(pointer, length));
  }

  read8(pointer: number): number {
    return this.#view(pointer, 1).getUint8(pointer >>> 0);
  }

  read16(pointer: number): number {
    return this.#view(pointer, 2).getUint16(pointer >>> 0, true);
  }

  read32(pointer: number): number {
    return this.#view(pointer, 4).getUint32(pointer >>> 0, true);
  }

  read64(pointer: number): bigint {
    return this.#view(pointer, 8).getBigUint64(pointer >>> 0, true);
  }

  write8(pointer: number, value: number): void {
    this.#view(pointer, 1).setUint8(pointer >>> 0, value);
  }

  write16(pointer: number, value: number): void {
    this.#view(pointer, 2).setUint16(pointer >>> 0, value, true);
  }

  write32(pointer: number, value: number): void {
    this.#view(pointer, 4).setUint32(pointer >>> 0, value, true);
  }

  write64(pointer: number, value: bigint): void {
    this.#view(pointer, 8).setBigUint64(pointer >>> 0, value, true);
  }

  write(pointer: number, bytes: Uint8Array): void {
    this.bytes(pointer, bytes.length).set(bytes);
  }
}

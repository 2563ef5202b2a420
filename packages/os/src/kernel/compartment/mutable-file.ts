import { isBytes, type Port } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import { seekTo } from './image-files.ts';
import { FILE_TYPE, OpenFile } from './open-file.ts';

/** The app's one persistent file, held by all descriptors on it. */
class MutableContent {
  readonly #kernel: Port;
  readonly #quota: number;
  bytes: Uint8Array;

  constructor(kernel: Port, quota: number, bytes: Uint8Array) {
    this.#kernel = kernel;
    this.#quota = quota;
    this.bytes = bytes;
  }

  /** In flash, or refused and unchanged: a write is acknowledged only when it would survive a power cut. */
  async store(content: Uint8Array): Promise<void> {
    await this.#kernel.call('mutableWrite', content);
    this.bytes = content;
  }

  resized(size: number): Uint8Array {
    if (size > this.#quota) throw new CallRefused('EDQUOT');
    const content = new Uint8Array(size);
    content.set(this.bytes.subarray(0, size));
    return content;
  }
}

/** An open descriptor of the mutable file. */
export class MutableFile extends OpenFile {
  readonly fileType = FILE_TYPE.regularFile;
  readonly #content: MutableContent;
  #position = 0;

  constructor(content: MutableContent) {
    super();
    this.#content = content;
  }

  /** Opens it; `other` is a descriptor that is open already, whose content both then share. */
  static async open(kernel: Port, quota: number, other: MutableFile | null): Promise<MutableFile> {
    if (other !== null) return new MutableFile(other.#content);
    const bytes = await kernel.call('mutableRead');
    if (!isBytes(bytes)) throw new CallRefused('EIO');
    return new MutableFile(new MutableContent(kernel, quota, bytes));
  }

  override get size(): number {
    return this.#content.bytes.length;
  }

  override readAt(offset: number, most: number): Uint8Array {
    return this.#content.bytes.subarray(Math.min(offset, this.size), Math.min(offset + most, this.size));
  }

  override read(most: number): Uint8Array {
    const bytes = this.readAt(this.#position, most);
    this.#position += bytes.length;
    return bytes;
  }

  override async writeAt(offset: number, bytes: Uint8Array): Promise<number> {
    if (bytes.length === 0) return 0;
    const content = this.#content.resized(Math.max(this.size, offset + bytes.length));
    content.set(bytes, offset);
    await this.#content.store(content);
    return bytes.length;
  }

  override async write(bytes: Uint8Array): Promise<number> {
    const written = await this.writeAt(this.#position, bytes);
    this.#position += written;
    return written;
  }

  override seek(offset: bigint, whence: number): number {
    this.#position = seekTo(offset, whence, this.#position, this.size);
    return this.#position;
  }

  override async truncate(size: number): Promise<void> {
    await this.#content.store(this.#content.resized(size));
  }
}

import { BUS_REGIONS, MAILBOX_REGISTERS } from '@sevenfold/formats';
import type { CorpusRun } from './corpus.ts';

const HEADER = 64;
const BLOCK_HEADER = 20;
const ALIGNMENT = 16;
const COMMAND = { theirs: 0xba5e_0001, ours: 0xba5e_0002, start: 0xba5e_0003 } as const;

/** A message of a real-time app, as it lies in the ring: whom it is for, and what it is. */
interface Message {
  /** 16 bytes. */
  readonly component: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * The application core's end of inter-core communication (real-time-cores.md §2), as plain as can be: two rings in the
 * memory that both cores share, the first one the real-time core's.
 */
export class ApplicationEnd {
  readonly #run: CorpusRun;
  readonly #size: number;
  readonly #theirs = BUS_REGIONS.intercore0.offset;
  readonly #ours: number;

  /** `log2` is the logarithm of each ring's size with its header. */
  constructor(run: CorpusRun, log2: number) {
    this.#run = run;
    this.#size = 2 ** log2 - HEADER;
    this.#ours = this.#theirs + 2 ** log2;
    this.#post(COMMAND.theirs, this.#theirs | log2);
    this.#post(COMMAND.ours, this.#ours | log2);
    this.#post(COMMAND.start, 0);
  }

  #post(command: number, data: number): void {
    const { application } = this.#run.core;
    application.write(MAILBOX_REGISTERS.DATA_POST, data >>> 0);
    application.write(MAILBOX_REGISTERS.CMD_POST, command >>> 0);
  }

  #word(address: number): number {
    const bytes = this.#run.chip.bus.readMemory('normal', address, 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  /** Puts any word anywhere in the rings: what a broken kernel would do. */
  poke(offset: number, value: number): void {
    this.#run.chip.bus.writeMemory(
      'normal',
      this.#ours + offset,
      new Uint8Array(Uint32Array.of(value).buffer),
    );
  }

  /** Sends in the name of a component. False: the ring is full. */
  send({ component, payload }: Message): boolean {
    const [write, read] = [this.#word(this.#ours), this.#word(this.#theirs + 4)];
    const room = read <= write ? this.#size - write + read : read - write;
    const block = new Uint8Array(4 + BLOCK_HEADER + payload.length);
    new DataView(block.buffer).setUint32(0, BLOCK_HEADER + payload.length, true);
    block.set(component, 4);
    block.set(payload, 4 + BLOCK_HEADER);
    if (block.length + ALIGNMENT > room) return false;
    for (const [index, byte] of block.entries()) {
      const at = this.#ours + HEADER + ((write + index) % this.#size);
      this.#run.chip.bus.writeMemory('normal', at, Uint8Array.of(byte));
    }
    this.poke(0, this.#after(write, block.length));
    this.signal(2);
    return true;
  }

  /** Raises software interrupts of the real-time core. */
  signal(bits: number): void {
    this.#run.core.application.write(MAILBOX_REGISTERS.SW_TX_INT_PORT, bits);
  }

  /** Takes a message; null: there is none. */
  receive(): Message | null {
    const [write, read] = [this.#word(this.#theirs), this.#word(this.#ours + 4)];
    if (write === read) return null;
    const bytes = (from: number, length: number): Uint8Array =>
      Uint8Array.from({ length }, (_, index) => {
        const at = this.#theirs + HEADER + ((read + from + index) % this.#size);
        return this.#run.chip.bus.readMemory('normal', at, 1)[0] ?? 0;
      });
    const size = this.#word(this.#theirs + HEADER + read);
    const message = { component: bytes(4, 16), payload: bytes(4 + BLOCK_HEADER, size - BLOCK_HEADER) };
    this.poke(4, this.#after(read, 4 + size));
    this.signal(1);
    return message;
  }

  #after(position: number, length: number): number {
    return (Math.ceil((position + length) / ALIGNMENT) * ALIGNMENT) % this.#size;
  }
}

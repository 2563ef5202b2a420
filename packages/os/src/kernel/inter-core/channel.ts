import {
  concatBytes,
  INTERCORE_REGIONS,
  MAILBOX_REGIONS,
  MAILBOX_REGISTERS,
  registerAddress,
  viewOf,
  type PortValue,
} from '@sevenfold/formats';
import { bytesOf, operation, type BusOperation, type DriverBus } from '../drivers/bus.ts';
import { KernelError } from '../errors.ts';
import { advance, decodeBlock, distance, encodeBlock, fits, isPosition, RING, type Message } from './ring.ts';

/** Commands of the handshake (real-time-cores.md §2.2). */
const COMMAND = { inbound: 0xba5e_0001, outbound: 0xba5e_0002, start: 0xba5e_0003 } as const;
/** Descriptors say the size as its binary logarithm. */
const LOG2_SIZE = Math.log2(RING.size);
/** Signals towards the real-time core, and both of those that it gives: it has sent, it has consumed (§2.5). */
const SIGNAL = { consumed: 1, sent: 2, both: 3 } as const;
const WORD = 4;

/**
 * The application core's end of the rings shared with a real-time core. Whatever that core writes there is judged anew
 * each time, from a copy: positions and sizes that the protocol cannot reach halt the channel until the core starts
 * again, and harm nobody else.
 */
export class Channel {
  readonly #bus: DriverBus;
  readonly #core: number;
  /** Ours alone: what lies in shared memory is for the other side to read. */
  #read = 0;
  #written = 0;
  #isHalted = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(bus: DriverBus, core: number) {
    this.#bus = bus;
    this.#core = core;
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  /** Clears both buffers and tells the core where they are. */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      const post = (command: number, data: number): BusOperation[] => [
        operation.write(this.#register('DATA_POST'), data),
        operation.write(this.#register('CMD_POST'), command),
      ];
      await this.#bus.run([
        operation.store(this.#inbound(0), new Uint8Array(RING.size)),
        operation.store(this.#outbound(0), new Uint8Array(RING.size)),
        operation.write(this.#register('SW_RX_INT_STS'), SIGNAL.both),
        operation.write(this.#register('SW_RX_INT_EN'), SIGNAL.both),
        ...post(COMMAND.inbound, this.#inbound(0) | LOG2_SIZE),
        ...post(COMMAND.outbound, this.#outbound(0) | LOG2_SIZE),
        ...post(COMMAND.start, 0),
      ]);
    });
  }

  /** Hands each message that waits to `take`, until there is none or it wants no more now. */
  receive(take: (message: Message) => boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isHalted) return;
      // Signals first: what comes from now on signals again.
      const [, position] = await this.#bus.run([
        operation.write(this.#register('SW_RX_INT_STS'), SIGNAL.both),
        operation.load(this.#inbound(RING.writePosition), WORD),
      ]);
      const written = await this.#copy(wordOf(position));
      if (written === null) return;
      let taken = 0;
      while (taken < written.length) {
        const block = decodeBlock(written.subarray(taken));
        if (block === null) return this.#halt();
        if (!take(block.message)) break;
        taken += block.length;
      }
      if (taken === 0) return;
      this.#read = advance(this.#read, taken);
      await this.#bus.run([
        operation.store(this.#outbound(RING.readPosition), bytesOfWord(this.#read)),
        operation.write(this.#register('SW_TX_INT_PORT'), SIGNAL.consumed),
      ]);
    });
  }

  /** False: there is no room now; the core signals when it has consumed. Throws `ConnectionLost`. */
  send(componentId: string, payload: Uint8Array): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#isHalted) throw new KernelError('ConnectionLost', 'The channel to this app was halted.');
      const [position] = await this.#bus.run([operation.load(this.#inbound(RING.readPosition), WORD)]);
      const read = wordOf(position);
      if (!isPosition(read)) {
        await this.#halt();
        throw new KernelError('ConnectionLost', 'The app on the other core broke the channel.');
      }
      if (!fits(this.#written, read, payload.length)) return false;
      const block = encodeBlock(componentId, payload);
      const at = this.#written;
      this.#written = advance(at, block.length);
      const turn = Math.min(block.length, RING.data - at);
      // Data before the position, the position before the signal.
      await this.#bus.run([
        operation.store(this.#outbound(RING.header + at), block.subarray(0, turn)),
        operation.store(this.#outbound(RING.header), block.subarray(turn)),
        operation.store(this.#outbound(RING.writePosition), bytesOfWord(this.#written)),
        operation.write(this.#register('SW_TX_INT_PORT'), SIGNAL.sent),
      ]);
      return true;
    });
  }

  /** What the other side has written, copied once and judged afterwards; null where its position is none. */
  async #copy(position: number): Promise<Uint8Array | null> {
    if (!isPosition(position)) {
      await this.#halt();
      return null;
    }
    const count = distance(this.#read, position);
    if (count === 0) return null;
    const turn = Math.min(count, RING.data - this.#read);
    const parts = await this.#bus.run([
      operation.load(this.#inbound(RING.header + this.#read), turn),
      operation.load(this.#inbound(RING.header), count - turn),
    ]);
    return concatBytes(...parts.map(bytesOf));
  }

  /** No interrupt of this core is heard any more, no word of its memory is read. */
  async #halt(): Promise<void> {
    this.#isHalted = true;
    await this.#bus.run([operation.write(this.#register('SW_RX_INT_EN'), 0)]);
  }

  #register(name: keyof typeof MAILBOX_REGISTERS): number {
    return registerAddress(MAILBOX_REGIONS[this.#core === 0 ? 0 : 1], MAILBOX_REGISTERS[name]);
  }

  /** In the buffer that the real-time core writes, and in ours, which lies behind it. */
  #inbound(offset: number): number {
    return registerAddress(INTERCORE_REGIONS[this.#core === 0 ? 0 : 1], offset);
  }

  #outbound(offset: number): number {
    return this.#inbound(RING.size + offset);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }
}

/** A word of memory that a load gave. */
const wordOf = (result: PortValue | undefined): number => viewOf(bytesOf(result)).getUint32(0, true);

function bytesOfWord(value: number): Uint8Array {
  const bytes = new Uint8Array(WORD);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

import { MAILBOX_BITS, MAILBOX_DEPTH, MAILBOX_REGISTERS, MAILBOX_VERSION } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/** What an end can interrupt for. `fifo` is up with any of the four about the queues. */
export type MailboxCause = 'read' | 'notFull' | 'written' | 'notEmpty' | 'fifo' | 'software';

/** How one end of a mailbox is wired. */
export interface MailboxWiring {
  readonly interrupt: (cause: MailboxCause, isHigh: boolean) => void;
  /** Whether this end may reset the other one as well (GEN_CTRL b0). */
  readonly resetsBoth: boolean;
}

interface Item {
  readonly command: number;
  readonly data: number;
}

/** Who holds the semaphore that both ends see; absent between real-time cores. */
interface Semaphore {
  holder: MailboxEnd | null;
}

const { READ, NOT_FULL, WRITTEN, NOT_EMPTY } = MAILBOX_BITS;
const CAUSES = [
  ['read', READ],
  ['notFull', NOT_FULL],
  ['written', WRITTEN],
  ['notEmpty', NOT_EMPTY],
] as const;

/**
 * One end of a mailbox (real-time-cores.md §2.1): a queue of 15 pairs each way and eight signals. What the other end
 * has sent, pairs and signals, outlives a reset of this end, and so does which signals interrupt it: the handshake may
 * wait for a core that resets its mailbox first, and one that does so while it runs goes on hearing messages.
 */
export class MailboxEnd implements Peripheral {
  readonly #wiring: MailboxWiring;
  readonly #semaphore: Semaphore | null;
  #peer: MailboxEnd | null = null;
  #received: Item[] = [];
  #data = 0;
  #enabled = 0;
  #status = 0;
  #signals = 0;
  #signalsEnabled = 0;
  #notFullAbove = 0;
  #notEmptyAbove = 0;

  constructor(wiring: MailboxWiring, semaphore: Semaphore | null) {
    this.#wiring = wiring;
    this.#semaphore = semaphore;
  }

  /** Joins two ends. */
  connect(peer: MailboxEnd): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  read(offset: number): number {
    switch (offset) {
      case MAILBOX_REGISTERS.VERSION:
        return MAILBOX_VERSION;
      case MAILBOX_REGISTERS.SW_RX_INT_EN:
        return this.#signalsEnabled;
      case MAILBOX_REGISTERS.SW_RX_INT_STS:
        return this.#signals;
      case MAILBOX_REGISTERS.NF_THRESHOLD:
        return this.#notFullAbove;
      case MAILBOX_REGISTERS.NE_THRESHOLD:
        return this.#notEmptyAbove;
      case MAILBOX_REGISTERS.INT_EN:
        return this.#enabled;
      case MAILBOX_REGISTERS.INT_STS:
        return this.#causes;
      case MAILBOX_REGISTERS.DATA_POST:
        return this.#data;
      case MAILBOX_REGISTERS.POST_CNT:
        return this.#peer === null ? 0 : this.#peer.#received.length;
      case MAILBOX_REGISTERS.CMD_POP:
        return this.#pop();
      case MAILBOX_REGISTERS.DATA_POP:
        return this.#received[0]?.data ?? 0;
      case MAILBOX_REGISTERS.POP_CNT:
        return this.#received.length;
      case MAILBOX_REGISTERS.SEMAPHORE:
        return this.#acquire();
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case MAILBOX_REGISTERS.GEN_CTRL:
        if ((value & MAILBOX_BITS.RESET_BOTH) !== 0 && this.#wiring.resetsBoth) this.#resetBoth();
        else if ((value & (MAILBOX_BITS.RESET_BOTH | MAILBOX_BITS.RESET_OWN)) !== 0) this.#resetOwn();
        return;
      case MAILBOX_REGISTERS.SW_TX_INT_PORT:
        if (this.#peer !== null) this.#peer.#takeSignals(value & 0xff);
        return;
      case MAILBOX_REGISTERS.SW_RX_INT_EN:
        this.#signalsEnabled = value & 0xff;
        break;
      case MAILBOX_REGISTERS.SW_RX_INT_STS:
        this.#signals &= ~value;
        break;
      case MAILBOX_REGISTERS.NF_THRESHOLD:
        this.#notFullAbove = value & 0xf;
        break;
      case MAILBOX_REGISTERS.NE_THRESHOLD:
        this.#notEmptyAbove = value & 0xf;
        break;
      case MAILBOX_REGISTERS.INT_EN:
        this.#enabled = value & 0xf;
        break;
      case MAILBOX_REGISTERS.INT_STS:
        this.#status &= ~value;
        break;
      case MAILBOX_REGISTERS.DATA_POST:
        this.#data = value;
        return;
      case MAILBOX_REGISTERS.CMD_POST:
        this.#post(value);
        return;
      case MAILBOX_REGISTERS.SEMAPHORE:
        if (value === 0 && this.#semaphore?.holder === this) this.#semaphore.holder = null;
        return;
      default:
        return;
    }
    this.#show();
  }

  /** Tells the levels of all lines again. */
  announce(): void {
    this.#show();
  }

  /** As after the chip's reset: nothing waits here, either. */
  reset(): void {
    this.#received = [];
    this.#signals = 0;
    this.#signalsEnabled = 0;
    this.#resetOwn();
  }

  #resetOwn(): void {
    this.#data = 0;
    this.#enabled = 0;
    this.#status = 0;
    this.#notFullAbove = 0;
    this.#notEmptyAbove = 0;
    if (this.#semaphore?.holder === this) this.#semaphore.holder = null;
    this.#show();
  }

  #resetBoth(): void {
    this.#peer?.reset();
    this.reset();
  }

  /** A full queue loses what is posted: software looks at POST_CNT first. */
  #post(command: number): void {
    const peer = this.#peer;
    if (peer === null || peer.#received.length === MAILBOX_DEPTH) return;
    peer.#received.push({ command, data: this.#data });
    peer.#status |= WRITTEN;
    peer.#show();
  }

  #pop(): number {
    const item = this.#received.shift();
    const peer = this.#peer;
    if (item === undefined) return 0;
    if (peer !== null) {
      peer.#status |= READ;
      // An event: it is there when room comes, and not as long as there is some.
      if (MAILBOX_DEPTH - this.#received.length === peer.#notFullAbove + 1) peer.#status |= NOT_FULL;
      peer.#show();
    }
    this.#show();
    return item.command;
  }

  #takeSignals(bits: number): void {
    this.#signals |= bits;
    this.#show();
  }

  #acquire(): number {
    if (this.#semaphore === null) return 0;
    this.#semaphore.holder ??= this;
    return this.#semaphore.holder === this ? 1 : 0;
  }

  /** NE holds as long as enough waits; the others are events, kept until they are cleared. */
  get #causes(): number {
    return this.#status | (this.#received.length > this.#notEmptyAbove ? NOT_EMPTY : 0);
  }

  #show(): void {
    const { interrupt } = this.#wiring;
    const up = this.#causes & this.#enabled;
    for (const [cause, bit] of CAUSES) interrupt(cause, (up & bit) !== 0);
    interrupt('fifo', up !== 0);
    interrupt('software', (this.#signals & this.#signalsEnabled) !== 0);
  }
}

/** A mailbox between two ends; only one with the application core has a semaphore. */
export function mailboxPair(
  first: MailboxWiring,
  second: MailboxWiring,
  hasSemaphore: boolean,
): readonly [MailboxEnd, MailboxEnd] {
  const semaphore = hasSemaphore ? { holder: null } : null;
  const ends = [new MailboxEnd(first, semaphore), new MailboxEnd(second, semaphore)] as const;
  ends[0].connect(ends[1]);
  return ends;
}

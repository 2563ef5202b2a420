import { CRYSTAL_HZ, UART_BITS, UART_LCR_EFR, UART_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { PeripheralWiring } from './interrupts.ts';

/** Bytes of each FIFO, and of the virtual FIFOs in memory that VFIFO_EN puts in their place. */
const FIFO = 16;
const VIRTUAL_FIFO = 1024;
/** Fill levels by FCR's b7:6 and b5:4; the last one of receiving is what RX_TRIGGER says. */
const RECEIVE_LEVELS = [1, 6, 12] as const;
const TRANSMIT_LEVELS = [1, 4, 8, 14] as const;
/** Frames without a byte after which what has come is told, few as it may be. */
const SILENCE = 4;
/** EXTEND_ADD: DMA takes what comes. */
const RECEIVE_BY_DMA = 1;

/** A part at the other end of the wires. */
export interface UartDevice {
  /** A byte that the chip sent. `send` puts one on the wire back. */
  receive(byte: number, send: (byte: number) => void): void;
}

/** Registers that only hold what was written. */
const HELD: readonly number[] = [
  UART_REGISTERS.HIGHSPEED,
  UART_REGISTERS.SAMPLE_COUNT,
  UART_REGISTERS.SAMPLE_POINT,
  UART_REGISTERS.FRACDIV_L,
  UART_REGISTERS.FRACDIV_M,
  UART_REGISTERS.SCR_XOFF2,
  UART_REGISTERS.RX_LEVEL_CTL,
  UART_REGISTERS.GUARD,
  UART_REGISTERS.ESCAPE_DAT,
  UART_REGISTERS.ESCAPE_EN,
  UART_REGISTERS.RTO,
  UART_REGISTERS.RX_TRIGGER,
  UART_REGISTERS.EXTEND_ADD,
];

/**
 * A 16550 with registers of 32 bits. Bytes take their time on the wire: one by one on the time of a real-time core,
 * a FIFO's worth at once on that of the board's crystal; a receiver that nobody empties overruns. THRE says that there
 * is room. A receive interrupt comes when as many bytes wait as FCR says, or when fewer do and the line has been silent
 * for four frames; that of an empty transmitter, with FIFOs on, when no more are left than FCR says. With VFIFO_EN both
 * FIFOs hold 1 KiB; where DMA takes what comes there, silence is told all the same, until VFIFO_EN is read.
 */
export class Uart implements Peripheral {
  readonly #wiring: PeripheralWiring;
  readonly #registers = new Map<number, number>();
  #device: UartDevice | null = null;
  #transmit: number[] = [];
  #receive: number[] = [];
  #divisor = 1;
  #enabled = 0;
  #line = 0;
  #modem = 0;
  #extended = 0;
  #isVirtual = false;
  #hasOverrun = false;
  #hasThreEvent = false;
  #isSending = false;
  /** The line has been silent after bytes that were not told. */
  #isSilent = false;
  #cancelSilence: () => void = () => {};
  /** Keeps what is on its way from arriving. */
  #cancel: () => void = () => {};

  constructor(wiring: PeripheralWiring) {
    this.#wiring = wiring;
  }

  /** What hangs on the wires. */
  get attached(): UartDevice | null {
    return this.#device;
  }

  attach(device: UartDevice): void {
    this.#device = device;
  }

  /** A byte from outside. */
  arrive(byte: number): void {
    if (this.#receive.length >= this.#depth) this.#hasOverrun = true;
    else this.#receive.push(byte & 0xff);
    this.#isSilent = false;
    this.#signal();
    this.#listen();
  }

  /** Bits a second, as the registers say: crystal / (divisor × samples). */
  get baudRate(): number {
    const samples = this.#registers.get(UART_REGISTERS.HIGHSPEED) === 3 ? this.#samples : 16;
    return CRYSTAL_HZ / (Math.max(1, this.#divisor) * samples);
  }

  get #samples(): number {
    const fraction = bitsOf(this.#registers.get(UART_REGISTERS.FRACDIV_L) ?? 0);
    return (this.#registers.get(UART_REGISTERS.SAMPLE_COUNT) ?? 0) + 1 + fraction / 8;
  }

  get #depth(): number {
    return this.#isVirtual ? VIRTUAL_FIFO : FIFO;
  }

  read(offset: number): number {
    const isLatch = (this.#line & UART_BITS.DLAB) !== 0;
    switch (offset) {
      case UART_REGISTERS.RBR_THR_DLL:
        return isLatch ? this.#divisor & 0xff : this.#take();
      case UART_REGISTERS.IER_DLM:
        return isLatch ? this.#divisor >> 8 : this.#enabled;
      case UART_REGISTERS.IIR_FCR_EFR:
        return this.#line === UART_LCR_EFR ? this.#extended : this.#identify();
      case UART_REGISTERS.LCR:
        return this.#line;
      case UART_REGISTERS.MCR_XON1:
        return this.#modem;
      case UART_REGISTERS.LSR_XON2:
        return this.#status();
      case UART_REGISTERS.VFIFO_EN:
        this.#isSilent = false;
        this.#signal();
        return this.#isVirtual ? 1 : 0;
      case UART_REGISTERS.RX_OFFSET:
        return this.#receive.length;
      case UART_REGISTERS.TX_OFFSET:
        return this.#transmit.length;
      default:
        return this.#registers.get(offset) ?? 0;
    }
  }

  write(offset: number, value: number): void {
    const isLatch = (this.#line & UART_BITS.DLAB) !== 0;
    switch (offset) {
      case UART_REGISTERS.RBR_THR_DLL:
        if (isLatch) this.#divisor = (this.#divisor & 0xff00) | (value & 0xff);
        else this.#put(value & 0xff);
        return;
      case UART_REGISTERS.IER_DLM:
        if (isLatch) this.#divisor = (this.#divisor & 0xff) | ((value & 0xff) << 8);
        else {
          // Enabled while there is room already: the event is now.
          const isEmpty = this.#transmit.length === 0 && !this.#isSending;
          this.#hasThreEvent ||= isEmpty && (value & ~this.#enabled & UART_BITS.THRE_INT) !== 0;
          this.#enabled = value & 0xff;
          this.#signal();
        }
        return;
      case UART_REGISTERS.IIR_FCR_EFR:
        if (this.#line === UART_LCR_EFR) this.#extended = value & 0xff;
        else this.#controlFifo(value);
        return;
      case UART_REGISTERS.LCR:
        this.#line = value & 0xff;
        return;
      case UART_REGISTERS.MCR_XON1:
        if (this.#line !== UART_LCR_EFR) this.#modem = value & 0xff;
        return;
      case UART_REGISTERS.VFIFO_EN:
        this.#isVirtual = (value & 1) !== 0;
        this.#signal();
        return;
      default:
        if (HELD.includes(offset)) this.#registers.set(offset, value);
    }
  }

  reset(): void {
    this.#cancel();
    this.#cancelSilence();
    this.#isSilent = false;
    this.#registers.clear();
    this.#transmit = [];
    this.#receive = [];
    this.#divisor = 1;
    this.#enabled = 0;
    this.#line = 0;
    this.#modem = 0;
    this.#extended = 0;
    this.#isVirtual = false;
    this.#hasOverrun = false;
    this.#hasThreEvent = false;
    this.#isSending = false;
    this.#signal();
  }

  #take(): number {
    const byte = this.#receive.shift() ?? 0;
    if (!this.#isByDma) {
      this.#isSilent = false;
      this.#listen();
    }
    this.#signal();
    return byte;
  }

  get #isByDma(): boolean {
    const isHandedOver = ((this.#registers.get(UART_REGISTERS.EXTEND_ADD) ?? 0) & RECEIVE_BY_DMA) !== 0;
    return this.#isVirtual && isHandedOver;
  }

  get #fifoControl(): number {
    return this.#registers.get(UART_REGISTERS.FCR_READ) ?? 0;
  }

  /** Bytes that wait when software is told. */
  get #receiveLevel(): number {
    if ((this.#fifoControl & UART_BITS.FIFO_ENABLE) === 0) return 1;
    const own = (this.#registers.get(UART_REGISTERS.RX_TRIGGER) ?? 0) & 0xff;
    return RECEIVE_LEVELS[this.#fifoControl >> 6] ?? Math.min(FIFO, Math.max(1, own));
  }

  /** Bytes that are left to be sent when software is told. */
  get #transmitLevel(): number {
    if ((this.#fifoControl & UART_BITS.FIFO_ENABLE) === 0) return 0;
    return TRANSMIT_LEVELS[(this.#fifoControl >> 4) & 3] ?? 0;
  }

  /** Waits for silence behind bytes that nobody has been told of. */
  #listen(): void {
    this.#cancelSilence();
    const waiting = this.#receive.length;
    if (!this.#isByDma && (waiting === 0 || waiting >= this.#receiveLevel)) return;
    const notice = (): void => {
      this.#isSilent = true;
      this.#signal();
    };
    const timeline = this.#wiring.timeline();
    if (timeline === null) notice();
    else this.#cancelSilence = timeline.after((SILENCE * this.#frameBits) / this.baudRate, notice);
  }

  #put(byte: number): void {
    this.#hasThreEvent = false;
    // A byte for a full FIFO is lost, as on the wire: software looks at LSR or TX_OFFSET first.
    if (this.#transmit.length < this.#depth) this.#transmit.push(byte);
    this.#signal();
    if (!this.#isSending) this.#send();
  }

  /** Puts on the wire what waits, until nothing does. */
  #send(): void {
    while (this.#transmit.length > 0) {
      const timeline = this.#wiring.timeline();
      const count = timeline?.isExact === true ? 1 : Math.min(FIFO, this.#transmit.length);
      this.#isSending = true;
      if (timeline !== null) {
        this.#cancel = timeline.after((count * this.#frameBits) / this.baudRate, () => {
          this.#sent(count);
          this.#send();
        });
        return;
      }
      this.#sent(count);
    }
  }

  #sent(count: number): void {
    const before = this.#transmit.length;
    for (const byte of this.#transmit.splice(0, count)) this.#leave(byte);
    const left = this.#transmit.length;
    if (left === 0) this.#isSending = false;
    const level = this.#transmitLevel;
    this.#hasThreEvent ||= left === 0 || (left <= level && before > level);
    this.#signal();
  }

  #leave(byte: number): void {
    const masked = byte & (0xff >> (3 - (this.#line & 3)));
    if ((this.#modem & UART_BITS.LOOP) !== 0) this.arrive(masked);
    else this.#device?.receive(masked, (answer) => this.arrive(answer));
  }

  /** Bits of a frame: start, data, parity, stop. */
  get #frameBits(): number {
    return 1 + 5 + (this.#line & 3) + ((this.#line & 8) === 0 ? 0 : 1) + ((this.#line & 4) === 0 ? 1 : 2);
  }

  #controlFifo(value: number): void {
    this.#registers.set(UART_REGISTERS.FCR_READ, value & ~(UART_BITS.CLEAR_RX | UART_BITS.CLEAR_TX) & 0xff);
    if ((value & UART_BITS.CLEAR_RX) !== 0) {
      this.#receive = [];
      this.#isSilent = false;
      this.#cancelSilence();
    }
    if ((value & UART_BITS.CLEAR_TX) !== 0) this.#transmit = [];
    this.#signal();
  }

  #status(): number {
    const overrun = this.#hasOverrun ? UART_BITS.OVERRUN : 0;
    this.#hasOverrun = false;
    return (
      overrun |
      (this.#receive.length > 0 ? UART_BITS.DATA_READY : 0) |
      (this.#transmit.length < this.#depth ? UART_BITS.THR_EMPTY : 0) |
      (this.#transmit.length === 0 && !this.#isSending ? UART_BITS.ALL_EMPTY : 0)
    );
  }

  #identify(): number {
    if (this.#hasData) return this.#receive.length >= this.#receiveLevel ? 0x04 : 0x0c;
    if ((this.#enabled & UART_BITS.THRE_INT) !== 0 && this.#hasThreEvent) {
      this.#hasThreEvent = false;
      this.#signal();
      return 0x02;
    }
    return 0x01;
  }

  get #hasData(): boolean {
    const isDue = this.#isSilent || this.#receive.length >= this.#receiveLevel;
    return (this.#enabled & UART_BITS.RX_INT) !== 0 && isDue;
  }

  #signal(): void {
    const hasRoom = (this.#enabled & UART_BITS.THRE_INT) !== 0 && this.#hasThreEvent;
    const { interrupt, request } = this.#wiring;
    interrupt(this.#hasData || hasRoom);
    request('transmit', this.#isVirtual && this.#transmit.length < FIFO);
    request('receive', this.#isVirtual && this.#receive.length > 0);
  }
}

function bitsOf(value: number): number {
  let count = 0;
  for (let rest = value & 0xff; rest !== 0; rest &= rest - 1) count++;
  return count;
}

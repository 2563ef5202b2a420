import { CRYSTAL_HZ, I2C_BITS, I2C_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { PeripheralWiring } from './interrupts.ts';

/** Bytes that each FIFO holds. */
const FIFO = 8;
const MOST_PACKETS = 3;
/** Pointers into the FIFOs, as FIFO_POINTER shows them: they begin at 0 with each transfer that finds its FIFO empty. */
const POINTER = 0xf;
/** A byte and its acknowledge. */
const BITS = 9;
/** Cycles of the crystal that a bit takes where TIMING0 was not set: 100 kHz. */
const SLOW_BIT = 260;

/** A part on an I2C bus, as the wires see it. */
export interface I2cDevice {
  /** 7 bits. */
  readonly address: number;
  /** START and its address: does it answer? `hold`: it pulls SCL low and does not let go. */
  start(direction: 'read' | 'write'): 'ack' | 'nack' | 'hold';
  /** A byte for it; whether it acknowledged. */
  write(byte: number): boolean;
  read(): number;
  stop(): void;
}

interface Packet {
  readonly isRead: boolean;
  left: number;
  isAddressed: boolean;
}

/**
 * An I2C master. It moves as far as its FIFOs let it, byte by byte in the time of a real-time core, and at once on the
 * board's clock: an empty transmit or full receive FIFO stretches the
 * clock until software comes round. Addresses nobody answers to, bytes that are not taken and a clock that a part
 * holds low are seen in ACK_VAL and STATUS, as on the wire.
 */
export class I2cMaster implements Peripheral {
  readonly #devices = new Map<number, I2cDevice>();
  readonly #wiring: PeripheralWiring;
  readonly #registers = new Map<number, number>();
  #transmit: number[] = [];
  #receive: number[] = [];
  /** Bytes that software has taken out of the one FIFO, and wires out of the other, since each began. */
  #received = 0;
  #sent = 0;
  #packets: Packet[] = [];
  #packetCount = 0;
  #selected: I2cDevice | null = null;
  #acknowledges = 0;
  #isDone = false;
  #isHeld = false;
  /** After an answer that did not come: what is left of the transfer goes nowhere until the FIFOs are cleared. */
  #isAborted = false;
  /** While bytes are on the wires: whoever changes a FIFO meanwhile is come round to. */
  #isMoving = false;
  #cancel: () => void = () => {};

  constructor(wiring: PeripheralWiring) {
    this.#wiring = wiring;
  }

  /** Wires a part to the bus; the last one at an address wins. */
  attach(device: I2cDevice): void {
    this.#devices.set(device.address, device);
  }

  /** Somebody holds SCL low, outside any transfer: the bus is busy until it is let go. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  read(offset: number): number {
    switch (offset) {
      case I2C_REGISTERS.INT_CTRL:
        return ((this.#registers.get(offset) ?? 0) & ~1) | (this.#isDone ? I2C_BITS.INT_STATUS : 0);
      case I2C_REGISTERS.ACK_VAL:
        return this.#acknowledges;
      case I2C_REGISTERS.STATUS:
        if (this.#packets.length > 0) return I2C_BITS.BUSY;
        return this.#isHeld ? I2C_BITS.BUSY : I2C_BITS.START_READY;
      case I2C_REGISTERS.FIFO_STATUS:
        return this.#fifoStatus;
      case I2C_REGISTERS.FIFO_POINTER:
        return (
          pointers(this.#received, this.#receive.length) | (pointers(this.#sent, this.#transmit.length) << 8)
        );
      case I2C_REGISTERS.FIFO_DATA: {
        if (this.#receive.length > 0) this.#received += 1;
        const byte = this.#receive.shift() ?? 0;
        this.#signal();
        this.#run();
        return byte;
      }
      default:
        return this.#registers.get(offset) ?? 0;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case I2C_REGISTERS.INT_CTRL:
        this.#registers.set(offset, value);
        if ((value & I2C_BITS.INT_STATUS) !== 0) this.#isDone = false;
        this.#signal();
        return;
      case I2C_REGISTERS.CON0:
        this.#registers.set(offset, value & ~I2C_BITS.START);
        if ((value & I2C_BITS.MASTER_ENABLE) === 0) this.#stop();
        else if ((value & I2C_BITS.START) !== 0) this.#start();
        return;
      case I2C_REGISTERS.FIFO_CLEAR:
        this.#transmit = [];
        this.#receive = [];
        this.#received = 0;
        this.#sent = 0;
        this.#isAborted = false;
        this.#signal();
        return;
      case I2C_REGISTERS.FIFO_DATA:
        if (this.#transmit.length < FIFO && !this.#isAborted) this.#transmit.push(value & 0xff);
        this.#signal();
        this.#run();
        return;
      case I2C_REGISTERS.ACK_VAL:
      case I2C_REGISTERS.STATUS:
      case I2C_REGISTERS.FIFO_STATUS:
        return;
      default:
        this.#registers.set(offset, value);
    }
  }

  reset(): void {
    this.#stop();
    this.#registers.clear();
    this.#transmit = [];
    this.#receive = [];
    this.#received = 0;
    this.#sent = 0;
    this.#acknowledges = 0;
    this.#isDone = false;
    this.#isAborted = false;
    this.#signal();
  }

  get #fifoStatus(): number {
    return (
      (this.#receive.length === 0 ? I2C_BITS.RX_EMPTY : 0) |
      (this.#receive.length === FIFO ? I2C_BITS.RX_FULL : 0) |
      (this.#transmit.length === 0 ? I2C_BITS.TX_EMPTY : 0) |
      (this.#transmit.length === FIFO ? I2C_BITS.TX_FULL : 0)
    );
  }

  #start(): void {
    if (this.#packets.length > 0 || this.#isHeld) return;
    const control = this.#registers.get(I2C_REGISTERS.PACK_CON0) ?? 0;
    const count = Math.min(MOST_PACKETS, ((control >> 4) & 3) + 1);
    this.#packets = Array.from({ length: count }, (_, index) => ({
      isRead: (control & (1 << index)) !== 0,
      left: (this.#registers.get(I2C_REGISTERS.COUNT0 + 4 * index) ?? 0) & 0xffff,
      isAddressed: false,
    }));
    this.#packetCount = count;
    this.#acknowledges = 0;
    this.#isDone = false;
    if (this.#receive.length === 0) this.#received = 0;
    this.#run();
  }

  /** Goes on until all packets are through, or a FIFO or a part makes it wait. */
  #run(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    while (this.#move()) {
      const timeline = this.#wiring.timeline();
      if (timeline?.isExact !== true) continue;
      this.#cancel = timeline.after((BITS * this.#bitCycles) / CRYSTAL_HZ, () => {
        this.#isMoving = false;
        this.#run();
      });
      return;
    }
    this.#isMoving = false;
    if (this.#packets.length === 0 && this.#selected !== null) this.#finish();
  }

  /** Address or byte of the packet that is on; whether something went over the wires. */
  #move(): boolean {
    const packet = this.#packets[0];
    if (packet === undefined) return false;
    if (!packet.isAddressed) return this.#address(packet);
    if (packet.left === 0) {
      this.#packets.shift();
      return this.#move();
    }
    if (packet.isRead) {
      if (this.#receive.length === FIFO) return false;
      packet.left -= 1;
      this.#receive.push((this.#selected?.read() ?? 0xff) & 0xff);
    } else {
      const byte = this.#transmit.shift();
      if (byte === undefined) return false;
      packet.left -= 1;
      this.#sent += 1;
      if (this.#selected?.write(byte) !== true) {
        this.#acknowledges |= 1;
        this.#abort();
        return false;
      }
    }
    this.#signal();
    return true;
  }

  /** The four phases of a bit in TIMING0. */
  get #bitCycles(): number {
    const timing = this.#registers.get(I2C_REGISTERS.TIMING0) ?? 0;
    const phases = [0, 8, 16, 24].map((shift) => (timing >>> shift) & 0xff);
    return phases.reduce((sum, phase) => sum + phase, 0) || SLOW_BIT;
  }

  /** START, or repeated START, and the address. False: nobody answered, or somebody holds the clock. */
  #address(packet: Packet): boolean {
    packet.isAddressed = true;
    const address = (this.#registers.get(I2C_REGISTERS.SLAVE_ID) ?? 0) & 0x7f;
    const device = this.#devices.get(address);
    const answer = device?.start(packet.isRead ? 'read' : 'write') ?? 'nack';
    if (answer === 'hold') return false;
    if (device === undefined || answer === 'nack') {
      this.#acknowledges |= 0x100 << (this.#packetCount - this.#packets.length);
      this.#abort();
      return false;
    }
    this.#selected = device;
    return true;
  }

  #abort(): void {
    this.#isAborted = true;
    this.#transmit = [];
    this.#finish();
  }

  #finish(): void {
    this.#stop();
    if (this.#transmit.length === 0) this.#sent = 0;
    this.#isDone = true;
    this.#signal();
  }

  #stop(): void {
    this.#cancel();
    this.#isMoving = false;
    this.#selected?.stop();
    this.#selected = null;
    this.#packets = [];
  }

  #signal(): void {
    const enabled = (this.#registers.get(I2C_REGISTERS.INT_CTRL) ?? 0) & I2C_BITS.INT_ENABLE;
    const { interrupt, request } = this.#wiring;
    interrupt(this.#isDone && enabled !== 0);
    request('transmit', this.#transmit.length < FIFO && !this.#isAborted);
    request('receive', this.#receive.length > 0);
  }
}

/** A FIFO's read and write pointers. */
const pointers = (read: number, waiting: number): number =>
  (read & POINTER) | (((read + waiting) & POINTER) << 4);

import { CRYSTAL_HZ, I2C_BITS, I2C_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import { I2cSlave } from './i2c-slave.ts';
import { I2C_FIFO, pointers, type I2cDevice } from './i2c-wires.ts';
import type { PeripheralWiring } from './interrupts.ts';

const MOST_PACKETS = 3;
/** A byte and its acknowledge. */
const BITS = 9;
/** Cycles of the crystal that a bit takes where TIMING0 was not set: 100 kHz. */
const SLOW_BIT = 260;

interface Packet {
  readonly isRead: boolean;
  left: number;
  isAddressed: boolean;
}

/**
 * An I2C master. It moves as far as its FIFOs let it, byte by byte in the time of a real-time core, and at once on the
 * board's clock: an empty transmit or full receive FIFO stretches the
 * clock until software comes round. Addresses nobody answers to, bytes that are not taken and a clock that a part
 * holds low are seen in ACK_VAL and STATUS, as on the wire. The unit's slave is another class; they share an interrupt
 * and the channels of DMA, whose side DMA_CON0 says. Two masters that begin in the same moment are not told apart.
 */
export class I2cMaster implements Peripheral {
  readonly #devices = new Map<number, I2cDevice>();
  readonly #wiring: PeripheralWiring;
  readonly #registers = new Map<number, number>();
  readonly #slave = new I2cSlave(() => this.#signal());
  /** Units whose wires are tied to these. */
  readonly #joined: I2cMaster[] = [];
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

  /** Ties the wires of another unit to these: each finds the parts of the other there, and its slave. */
  join(other: I2cMaster): void {
    this.#joined.push(other);
    other.#joined.push(this);
  }

  #find(address: number): I2cDevice | undefined {
    const own = this.#devices.get(address);
    if (own !== undefined) return own;
    for (const other of this.#joined) {
      const there = other.#slave.address === address ? other.#slave : other.#devices.get(address);
      if (there !== undefined) return there;
    }
    return undefined;
  }

  /** Somebody holds SCL low, outside any transfer: the bus is busy until it is let go. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  read(offset: number): number {
    switch (offset) {
      case I2C_REGISTERS.INT_CTRL:
        return (
          (this.#registers.get(offset) ?? 0) |
          (this.#isDone ? I2C_BITS.INT_STATUS : 0) |
          (this.#slave.isDone ? I2C_BITS.SLAVE_INT_STATUS : 0)
        );
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
        return this.#slave.readRegister(offset) ?? this.#registers.get(offset) ?? 0;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case I2C_REGISTERS.INT_CTRL:
        this.#registers.set(offset, value & ~(I2C_BITS.INT_STATUS | I2C_BITS.SLAVE_INT_STATUS));
        if ((value & I2C_BITS.INT_STATUS) !== 0) this.#isDone = false;
        if ((value & I2C_BITS.SLAVE_INT_STATUS) !== 0) this.#slave.isDone = false;
        this.#signal();
        return;
      case I2C_REGISTERS.DMA_CON0:
        this.#registers.set(offset, value);
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
        if (this.#transmit.length < I2C_FIFO && !this.#isAborted) this.#transmit.push(value & 0xff);
        this.#signal();
        this.#run();
        return;
      case I2C_REGISTERS.ACK_VAL:
      case I2C_REGISTERS.STATUS:
      case I2C_REGISTERS.FIFO_STATUS:
        return;
      default:
        if (!this.#slave.writeRegister(offset, value)) this.#registers.set(offset, value);
    }
  }

  reset(): void {
    this.#stop();
    this.#slave.reset();
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
      (this.#receive.length === I2C_FIFO ? I2C_BITS.RX_FULL : 0) |
      (this.#transmit.length === 0 ? I2C_BITS.TX_EMPTY : 0) |
      (this.#transmit.length === I2C_FIFO ? I2C_BITS.TX_FULL : 0)
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

  /** Goes on until all packets are through, or a FIFO or a part makes it wait. A byte is there when its bits are. */
  #run(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    while (this.#isReady()) {
      const timeline = this.#wiring.timeline();
      if (timeline?.isExact === true) {
        this.#cancel = timeline.after((BITS * this.#bitCycles) / CRYSTAL_HZ, () => {
          const goesOn = this.#move();
          this.#isMoving = false;
          if (goesOn) this.#run();
        });
        return;
      }
      if (!this.#move()) break;
    }
    this.#isMoving = false;
    if (this.#packets.length === 0 && this.#selected !== null) this.#finish();
  }

  /** Whether something can go over the wires now. */
  #isReady(): boolean {
    while (this.#packets[0]?.isAddressed === true && this.#packets[0].left === 0) this.#packets.shift();
    const [packet] = this.#packets;
    if (packet === undefined) return false;
    if (!packet.isAddressed) return true;
    return packet.isRead ? this.#receive.length < I2C_FIFO : this.#transmit.length > 0;
  }

  /** Address or byte of the packet that is on; whether something went over the wires. */
  #move(): boolean {
    const packet = this.#packets[0];
    if (packet === undefined) return false;
    if (!packet.isAddressed) return this.#address(packet);
    if (packet.isRead) {
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
    const device = this.#find(address);
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
    const control = this.#registers.get(I2C_REGISTERS.INT_CTRL) ?? 0;
    const slave = this.#slave;
    const { interrupt, request } = this.#wiring;
    interrupt(
      (this.#isDone && (control & I2C_BITS.INT_ENABLE) !== 0) ||
        (slave.isDone && (control & I2C_BITS.SLAVE_INT_ENABLE) !== 0),
    );
    const isSlaves = ((this.#registers.get(I2C_REGISTERS.DMA_CON0) ?? 0) & I2C_BITS.DMA_SLAVE) !== 0;
    request('transmit', isSlaves ? slave.wantsData : this.#transmit.length < I2C_FIFO && !this.#isAborted);
    request('receive', isSlaves ? slave.hasData : this.#receive.length > 0);
  }
}

import { I2C_BITS, I2C_REGISTERS } from '@sevenfold/formats';
import { I2C_FIFO, pointers, type I2cDevice } from './i2c-wires.ts';

/** What S_ID_RECEIVED0 says beside the address: the master reads. */
const IS_READ = 0x80;
/** S_FIFO_CON0. */
const CLEAR = { receive: 1, transmit: 2 } as const;
/** Nobody's address. */
const NONE = -1;

/**
 * The slave of a serial unit: what a master on the same wires finds at the address in S_ID_CON0. It tells of a transfer
 * when that is over. A full receive FIFO does not acknowledge; an empty transmit FIFO gives ones, and its flag says so.
 */
export class I2cSlave implements I2cDevice {
  readonly #onChange: () => void;
  #control = 0;
  #id = 0;
  #received = 0;
  #transmit: number[] = [];
  #receive: number[] = [];
  #taken = 0;
  #sent = 0;
  #flags = 0;
  #isAddressed = false;
  isDone = false;

  /** `onChange`: FIFOs or `isDone` have changed. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get address(): number {
    return (this.#control & I2C_BITS.SLAVE_ENABLE) === 0 ? NONE : this.#id & 0x7f;
  }

  get wantsData(): boolean {
    return this.#transmit.length < I2C_FIFO;
  }

  get hasData(): boolean {
    return this.#receive.length > 0;
  }

  start(direction: 'read' | 'write'): 'ack' {
    this.#isAddressed = true;
    this.#received = this.address | (direction === 'read' ? IS_READ : 0);
    if (this.#receive.length === 0) this.#taken = 0;
    return 'ack';
  }

  write(byte: number): boolean {
    if (this.#receive.length === I2C_FIFO) {
      this.#flags |= I2C_BITS.RX_OVERFLOW;
      return false;
    }
    this.#receive.push(byte);
    this.#onChange();
    return true;
  }

  read(): number {
    const byte = this.#transmit.shift();
    if (byte === undefined) this.#flags |= I2C_BITS.TX_UNDERFLOW;
    else this.#sent += 1;
    this.#onChange();
    return byte ?? 0xff;
  }

  stop(): void {
    if (!this.#isAddressed) return;
    this.#isAddressed = false;
    if (this.#transmit.length === 0) this.#sent = 0;
    this.isDone = true;
    this.#onChange();
  }

  /** Null: that is no register of the slave. */
  readRegister(offset: number): number | null {
    switch (offset) {
      case I2C_REGISTERS.S_CON0:
        return this.#control;
      case I2C_REGISTERS.S_SLAVE_ID:
        return this.#id;
      case I2C_REGISTERS.S_ID_RECEIVED0:
        return this.#received;
      case I2C_REGISTERS.S_FIFO_STATUS:
        return this.#fifoStatus;
      case I2C_REGISTERS.S_FIFO_POINTER:
        return (
          pointers(this.#taken, this.#receive.length) | (pointers(this.#sent, this.#transmit.length) << 8)
        );
      case I2C_REGISTERS.S_FIFO_DATA: {
        if (this.#receive.length > 0) this.#taken += 1;
        const byte = this.#receive.shift() ?? 0;
        this.#onChange();
        return byte;
      }
      default:
        return null;
    }
  }

  /** False: that is no register of the slave. */
  writeRegister(offset: number, value: number): boolean {
    switch (offset) {
      case I2C_REGISTERS.S_CON0:
        this.#control = value & 0xffff;
        return true;
      case I2C_REGISTERS.S_SLAVE_ID:
        this.#id = value & 0xff;
        return true;
      case I2C_REGISTERS.S_FIFO_CLEAR:
        this.#clear(value);
        return true;
      case I2C_REGISTERS.S_FIFO_DATA:
        if (this.wantsData) this.#transmit.push(value & 0xff);
        this.#onChange();
        return true;
      case I2C_REGISTERS.S_ID_RECEIVED0:
      case I2C_REGISTERS.S_FIFO_STATUS:
      case I2C_REGISTERS.S_FIFO_POINTER:
        return true;
      default:
        return false;
    }
  }

  reset(): void {
    this.#control = 0;
    this.#id = 0;
    this.#received = 0;
    this.#isAddressed = false;
    this.isDone = false;
    this.#clear(CLEAR.receive | CLEAR.transmit);
  }

  #clear(which: number): void {
    if ((which & CLEAR.receive) !== 0) {
      this.#receive = [];
      this.#taken = 0;
      this.#flags &= ~I2C_BITS.RX_OVERFLOW;
    }
    if ((which & CLEAR.transmit) !== 0) {
      this.#transmit = [];
      this.#sent = 0;
      this.#flags &= ~I2C_BITS.TX_UNDERFLOW;
    }
    this.#onChange();
  }

  get #fifoStatus(): number {
    return (
      this.#flags |
      (this.#receive.length === 0 ? I2C_BITS.RX_EMPTY : 0) |
      (this.#receive.length === I2C_FIFO ? I2C_BITS.RX_FULL : 0) |
      (this.#transmit.length === 0 ? I2C_BITS.TX_EMPTY : 0) |
      (this.#transmit.length === I2C_FIFO ? I2C_BITS.TX_FULL : 0)
    );
  }
}

import { CRYSTAL_HZ, I2C_BITS, I2C_OFFSET, I2C_REGISTERS } from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';
import { bytesOf, hasCode, numberOf, operation, type BusOperation, type DriverBus } from './bus.ts';
import type { Ownership } from './ownership.ts';
import { unitAddress, unitName, wantedUnit } from './serial-unit.ts';

/** Bus speeds in Hz that the chip does. */
export const I2C_SPEEDS = [100_000, 400_000, 1_000_000] as const;
/** Bytes of one direction of a transfer. */
export const MOST_I2C = 4096;

/** One transfer: a write, a read, or a write and after a repeated START a read. */
export interface I2cTransfer {
  /** 7 bits. */
  readonly address: number;
  /** Null: nothing is written, not even the address for writing. */
  readonly write: Uint8Array | null;
  /** Bytes to read; null: none, not even the address for reading. */
  readonly read: number | null;
  readonly speed: number;
  /** Milliseconds for a part that holds the clock. */
  readonly timeout: number;
}

/** The I2C masters. */
export class I2cDriver {
  readonly #bus: DriverBus;
  readonly #ownership: Ownership;

  constructor(bus: DriverBus, ownership: Ownership) {
    this.#bus = bus;
    this.#ownership = ownership;
  }

  async open(compartment: Compartment, unit: number): Promise<null> {
    const enable = (value: number): Promise<unknown> =>
      this.#bus.run([operation.write(registerOf(unit, 'CON0'), value)]);
    await this.#ownership.open(
      compartment,
      wantedUnit(compartment, unit, 'I2C'),
      async () => void (await enable(I2C_BITS.MASTER_ENABLE)),
      async () => void (await enable(0)),
    );
    return null;
  }

  /** What was read. Refuses with `BusBusy`, `NoAcknowledge` or `TransferTimeout`. */
  async transfer(compartment: Compartment, unit: number, transfer: I2cTransfer): Promise<Uint8Array> {
    this.#ownership.require(compartment, unitName(unit, 'I2C'));
    const operations = exchange(unit, transfer);
    let results;
    try {
      results = await this.#bus.run(operations);
    } catch (error) {
      if (!hasCode(error, 'BusTimeout')) throw error;
      throw await this.#recover(unit, error);
    }
    if (results.length < operations.length || (numberOf(results.at(-1)) & ACKNOWLEDGES) !== 0) {
      throw new KernelError('NoAcknowledge', `Nobody answers at address ${transfer.address}.`);
    }
    return bytesOf(results.at(-3));
  }

  close(compartment: Compartment, unit: number): Promise<null> {
    return this.#ownership.close(compartment, unitName(unit, 'I2C'));
  }

  /** Gives the bus up after a wait in vain: free before the transfer means that the transfer itself hung. */
  async #recover(unit: number, cause: unknown): Promise<KernelError> {
    const isAtStart = typeof cause === 'object' && cause !== null && Reflect.get(cause, 'field') === FIRST;
    await this.#bus.run([
      operation.write(registerOf(unit, 'CON0'), 0),
      operation.write(registerOf(unit, 'FIFO_CLEAR'), 1),
      operation.write(registerOf(unit, 'CON0'), I2C_BITS.MASTER_ENABLE),
    ]);
    return isAtStart
      ? new KernelError('BusBusy', `The bus of ISU${unit} is busy.`, { cause })
      : new KernelError('TransferTimeout', `A part on ISU${unit} held the clock too long.`, { cause });
  }
}

/** The place of the wait for a free bus in `exchange`. */
const FIRST = 'operations.0';
const ACKNOWLEDGES = I2C_BITS.ID_NACK | I2C_BITS.DATA_NACK;

function registerOf(unit: number, name: keyof typeof I2C_REGISTERS): number {
  return unitAddress(unit, I2C_OFFSET + I2C_REGISTERS[name]);
}

/** Four phases a bit. */
function phases(speed: number): number {
  const phase = Math.max(1, Math.round(CRYSTAL_HZ / speed / 4)) & 0xff;
  return (phase | (phase << 8) | (phase << 16) | (phase << 24)) >>> 0;
}

function exchange(
  unit: number,
  { address, write, read, speed, timeout }: I2cTransfer,
): readonly BusOperation[] {
  const put = (name: keyof typeof I2C_REGISTERS, value: number): BusOperation =>
    operation.write(registerOf(unit, name), value);
  const packets = [
    ...(write === null ? [] : [{ isRead: false, length: write.length }]),
    ...(read === null ? [] : [{ isRead: true, length: read }]),
  ];
  const reads = packets.reduce((bits, { isRead }, index) => bits | (isRead ? 1 << index : 0), 0);
  const fifo = registerOf(unit, 'FIFO_STATUS');
  const status = registerOf(unit, 'STATUS');
  const acknowledged = { address: registerOf(unit, 'ACK_VAL'), mask: ACKNOWLEDGES, value: 0 };
  return [
    operation.wait({ address: status, mask: I2C_BITS.START_READY, value: I2C_BITS.START_READY }, timeout),
    put('FIFO_CLEAR', 1),
    put('TIMING0', phases(speed)),
    put('TIMING1', phases(speed)),
    put('SLAVE_ID', address),
    put('COUNT0', packets[0]?.length ?? 0),
    put('COUNT1', packets[1]?.length ?? 0),
    put('PACK_CON0', reads | ((packets.length - 1) << 4)),
    put('INT_CTRL', I2C_BITS.INT_STATUS),
    put('CON0', I2C_BITS.MASTER_ENABLE | I2C_BITS.START),
    operation.check(acknowledged),
    operation.push(
      registerOf(unit, 'FIFO_DATA'),
      write ?? new Uint8Array(0),
      { address: fifo, mask: I2C_BITS.TX_FULL, value: 0 },
      timeout,
    ),
    operation.check(acknowledged),
    operation.pull(
      registerOf(unit, 'FIFO_DATA'),
      read ?? 0,
      { address: fifo, mask: I2C_BITS.RX_EMPTY, value: 0 },
      timeout,
    ),
    operation.wait({ address: status, mask: I2C_BITS.BUSY, value: 0 }, timeout),
    operation.read(registerOf(unit, 'ACK_VAL')),
  ];
}

import { isBytes, type Port, type PortValue } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';

/** A register's value under a mask, to be waited for or looked at. */
export interface Condition {
  readonly address: number;
  readonly mask: number;
  readonly value: number;
}

/** One operation of a transaction, as the hardware port's `bus` call takes it. */
export type BusOperation = readonly (string | number | Uint8Array)[];

const words = ({ address, mask, value }: Condition): readonly number[] => [address, mask, value];

/** Operations by name: see silicon/src/bus-transaction.ts. */
export const operation = {
  read: (address: number): BusOperation => ['read', address],
  write: (address: number, value: number): BusOperation => ['write', address, value >>> 0],
  /** Bytes of memory that is shared with other cores: at most 4096. */
  load: (address: number, length: number): BusOperation => ['load', address, length],
  store: (address: number, bytes: Uint8Array): BusOperation => ['store', address, bytes],
  /** Ends the transaction unless the condition holds. */
  check: (condition: Condition): BusOperation => ['check', ...words(condition)],
  wait: (condition: Condition, milliseconds: number): BusOperation => [
    'wait',
    ...words(condition),
    milliseconds,
  ],
  /** Byte after byte into a data register, each as soon as the condition holds. */
  push: (address: number, bytes: Uint8Array, condition: Condition, milliseconds: number): BusOperation => [
    'push',
    address,
    bytes,
    ...words(condition),
    milliseconds,
  ],
  pull: (address: number, length: number, condition: Condition, milliseconds: number): BusOperation => [
    'pull',
    address,
    length,
    ...words(condition),
    milliseconds,
  ],
};

/** The bus as a driver uses it: a whole exchange with a device is one message to the hardware. */
export class DriverBus {
  readonly #hardware: Port;

  constructor(hardware: Port) {
    this.#hardware = hardware;
  }

  /** Results of the operations in order, fewer when a check ended it. Rejects with `BusFault` or `BusTimeout`. */
  async run(operations: readonly BusOperation[]): Promise<readonly PortValue[]> {
    const results = await this.#hardware.call('bus', operations);
    if (!Array.isArray(results)) throw new KernelError('BadReply', 'The bus gave no results.');
    return results as readonly PortValue[];
  }
}

/** A number that a read gave, or the count of a push. */
export function numberOf(result: PortValue | undefined): number {
  if (typeof result !== 'number') throw new KernelError('BadReply', 'The bus gave no number.');
  return result;
}

/** Bytes that a load or a pull gave. */
export function bytesOf(result: PortValue | undefined): Uint8Array {
  if (!isBytes(result)) throw new KernelError('BadReply', 'The bus gave no bytes.');
  return result;
}

/** Whether an error is one of the hardware with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'code') === code;
}

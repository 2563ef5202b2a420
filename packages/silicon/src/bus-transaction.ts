import {
  PortError,
  bytesArgument,
  listArgument,
  uintArgument,
  type BusMaster,
  type Clock,
  type PortValue,
} from '@sevenfold/formats';
import type { Bus } from './bus.ts';
import { SiliconError } from './errors.ts';

/** Operations of one transaction, bytes of one load, store, push or pull, and ms that one wait may last. */
const MOST_OPERATIONS = 8192;
const MOST_BYTES = 4096;
const LONGEST_WAIT = 60_000;
/** Looks at a register without time passing, and ms between looks after that. */
const BUSY_LOOKS = 4;
const PAUSE = 1;

const WORD = { max: 0xffffffff } as const;

type Operation =
  | { readonly kind: 'read'; readonly address: number }
  | { readonly kind: 'write'; readonly address: number; readonly value: number }
  | { readonly kind: 'load'; readonly address: number; readonly length: number }
  | { readonly kind: 'store'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'check'; readonly until: Condition }
  | { readonly kind: 'wait'; readonly until: Condition; readonly timeout: number }
  | {
      readonly kind: 'push';
      readonly address: number;
      readonly bytes: Uint8Array;
      readonly until: Condition;
      readonly timeout: number;
    }
  | {
      readonly kind: 'pull';
      readonly address: number;
      readonly length: number;
      readonly until: Condition;
      readonly timeout: number;
    };

/** A register's masked value. */
interface Condition {
  readonly address: number;
  readonly mask: number;
  readonly value: number;
}

/** Words of an operation by name: how many there are says what it is. */
const LENGTHS: Readonly<Record<string, number>> = {
  read: 2,
  write: 3,
  load: 3,
  store: 3,
  check: 4,
  wait: 5,
  push: 7,
  pull: 7,
};

function readOperation(untrusted: PortValue, field: string): Operation {
  if (!Array.isArray(untrusted)) throw badOperation(field);
  const words = untrusted as readonly PortValue[];
  const kind = words[0];
  if (typeof kind !== 'string' || !Object.hasOwn(LENGTHS, kind) || words.length !== LENGTHS[kind])
    throw badOperation(field);
  const word = (index: number): number => uintArgument(words[index], `${field}.${index}`, WORD);
  const condition = (at: number): Condition => ({
    address: word(at),
    mask: word(at + 1),
    value: word(at + 2),
  });
  const timeout = (at: number): number => uintArgument(words[at], `${field}.${at}`, { max: LONGEST_WAIT });
  switch (kind) {
    case 'read':
      return { kind, address: word(1) };
    case 'write':
      return { kind, address: word(1), value: word(2) };
    case 'load':
      return { kind, address: word(1), length: uintArgument(words[2], `${field}.2`, { max: MOST_BYTES }) };
    case 'store':
      return { kind, address: word(1), bytes: bytesArgument(words[2], `${field}.2`, { max: MOST_BYTES }) };
    case 'check':
      return { kind, until: condition(1) };
    case 'wait':
      return { kind, until: condition(1), timeout: timeout(4) };
    case 'push': {
      const bytes = bytesArgument(words[2], `${field}.2`, { max: MOST_BYTES });
      return { kind, address: word(1), bytes, until: condition(3), timeout: timeout(6) };
    }
    case 'pull': {
      const length = uintArgument(words[2], `${field}.2`, { max: MOST_BYTES });
      return { kind, address: word(1), length, until: condition(3), timeout: timeout(6) };
    }
    default:
      throw badOperation(field);
  }
}

function badOperation(field: string): PortError {
  return new PortError('BadArgument', `${field} must be an operation of a bus transaction.`, {
    field,
    rule: 'read, write, load, store, check, wait, push or pull',
  });
}

/**
 * Runs a master's transaction on the bus, operation by operation, each judged by the firewall: a driver's whole
 * exchange with a device is one message. Gives what reads, loads and pulls brought and how many bytes each push got rid of;
 * null for the rest. A check that does not hold ends the transaction there, with the results so far; a wait in vain
 * throws `BusTimeout`; a push or pull in vain ends with what was done.
 */
export async function runTransaction(
  bus: Bus,
  master: BusMaster,
  untrusted: PortValue | undefined,
  clock: Clock,
): Promise<readonly PortValue[]> {
  const operations = listArgument(untrusted, 'operations', MOST_OPERATIONS, readOperation);
  const comes = async ({ address, mask, value }: Condition, timeout: number): Promise<boolean> => {
    const deadline = clock.monotonic() + timeout;
    for (let looks = 1; ; looks++) {
      if ((bus.read(master, address) & mask) >>> 0 === value) return true;
      if (clock.monotonic() >= deadline) return false;
      if (looks >= BUSY_LOOKS) await clock.sleep(PAUSE);
    }
  };
  const results: PortValue[] = [];
  for (const [index, operation] of operations.entries()) {
    switch (operation.kind) {
      case 'read':
        results.push(bus.read(master, operation.address));
        break;
      case 'write':
        bus.write(master, operation.address, operation.value);
        results.push(null);
        break;
      case 'load':
        results.push(bus.readMemory(master, operation.address, operation.length));
        break;
      case 'store':
        bus.writeMemory(master, operation.address, operation.bytes);
        results.push(null);
        break;
      case 'check':
        if (!(await comes(operation.until, 0))) return results;
        results.push(null);
        break;
      case 'wait':
        if (!(await comes(operation.until, operation.timeout))) {
          throw new SiliconError('BusTimeout', `Operation ${index} waited in vain.`, {
            field: `operations.${index}`,
          });
        }
        results.push(null);
        break;
      case 'push': {
        let count = 0;
        for (const byte of operation.bytes) {
          if (!(await comes(operation.until, operation.timeout))) break;
          bus.write(master, operation.address, byte);
          count += 1;
        }
        results.push(count);
        break;
      }
      case 'pull': {
        const bytes: number[] = [];
        while (bytes.length < operation.length && (await comes(operation.until, operation.timeout)))
          bytes.push(bus.read(master, operation.address) & 0xff);
        results.push(Uint8Array.from(bytes));
        break;
      }
      default:
        operation satisfies never;
    }
  }
  return results;
}

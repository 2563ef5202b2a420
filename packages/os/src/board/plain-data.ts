import { isBytes, type PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';

const MOST_DEPTH = 16;
const MOST_NODES = 100_000;

/** A copy that is being made. */
interface Copying {
  nodes: number;
  /** Where in the value we are, for whoever is refused. */
  readonly path: (string | number)[];
  readonly buffers: ArrayBuffer[] | undefined;
}

function refuse({ path }: Copying, why: string): never {
  const field = path.join('.');
  throw new BoardError(
    'NotPlainData',
    `${field === '' ? 'The value' : field} ${why} and cannot cross a port.`,
    {
      field,
      rule: 'plain data only',
    },
  );
}

/**
 * A deep copy made of this realm's own objects, without anything but data: what crosses a port shares nothing with
 * either side. `buffers`, if given, collects the memory of all bytes copied, to be transferred to a thread.
 * Throws `NotPlainData`.
 */
export function copyPlainData(untrusted: unknown, buffers?: ArrayBuffer[]): PortValue {
  return copyValue(untrusted, { nodes: 0, path: [], buffers }, 0);
}

function copyValue(value: unknown, copying: Copying, depth: number): PortValue {
  copying.nodes += 1;
  if (copying.nodes > MOST_NODES) return refuse(copying, 'has too many parts');
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'bigint':
    case 'string':
      return value;
    case 'object':
      break;
    case 'undefined':
      return refuse(copying, 'is undefined');
    case 'function':
    case 'symbol':
    default:
      return refuse(copying, `is a ${typeof value}`);
  }
  if (value === null) return null;
  if (depth >= MOST_DEPTH) return refuse(copying, 'is nested too deeply');
  if (Array.isArray(value)) return copyList(value, copying, depth);
  if (isBytes(value)) {
    const bytes = new Uint8Array(value);
    copying.buffers?.push(bytes.buffer);
    return bytes;
  }
  if (Object.prototype.toString.call(value) !== '[object Object]')
    return refuse(copying, 'is no plain record');
  return copyRecord(value, copying, depth);
}

function copyList(list: readonly unknown[], copying: Copying, depth: number): PortValue {
  const items: PortValue[] = [];
  for (let index = 0; index < list.length; index++) {
    copying.path.push(index);
    items.push(copyValue(list[index], copying, depth + 1));
    copying.path.pop();
  }
  return items;
}

function copyRecord(value: object, copying: Copying, depth: number): PortValue {
  const record: { [key: string]: PortValue } = {};
  for (const key of Object.keys(value)) {
    copying.path.push(key);
    const part = copyValue(Reflect.get(value, key), copying, depth + 1);
    copying.path.pop();
    // Not by assignment: a key `__proto__` is data like any other.
    Object.defineProperty(record, key, {
      value: part,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return record;
}

/** As `copyPlainData`, for the arguments of a call. */
export function copyArguments(untrusted: readonly unknown[], buffers?: ArrayBuffer[]): readonly PortValue[] {
  return copyPlainData(untrusted, buffers) as readonly PortValue[];
}

/** Bytes, and characters, that a copy keeps in memory: what counts against a bound on calls under way. */
export function weightOf(value: PortValue): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  if (isBytes(value)) return value.length;
  let weight = 0;
  for (const part of Object.values(value)) weight += weightOf(part);
  return weight;
}

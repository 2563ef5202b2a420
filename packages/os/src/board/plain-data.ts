import { isBytes, type PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';

const MOST_DEPTH = 16;
const MOST_NODES = 100_000;

function refuse(field: string, why: string): never {
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
  let nodes = 0;
  const copy = (value: unknown, field: string, depth: number): PortValue => {
    if (++nodes > MOST_NODES) return refuse(field, 'has too many parts');
    switch (typeof value) {
      case 'boolean':
      case 'number':
      case 'bigint':
      case 'string':
        return value;
      case 'object':
        break;
      case 'undefined':
        return refuse(field, 'is undefined');
      case 'function':
      case 'symbol':
      default:
        return refuse(field, `is a ${typeof value}`);
    }
    if (value === null) return null;
    if (depth >= MOST_DEPTH) return refuse(field, 'is nested too deeply');
    const path = (name: string | number): string => (field === '' ? String(name) : `${field}.${name}`);
    if (isBytes(value)) {
      const bytes = new Uint8Array(value);
      buffers?.push(bytes.buffer);
      return bytes;
    }
    if (Array.isArray(value)) {
      const items: PortValue[] = [];
      for (let index = 0; index < value.length; index++)
        items.push(copy(value[index], path(index), depth + 1));
      return items;
    }
    if (Object.prototype.toString.call(value) !== '[object Object]')
      return refuse(field, 'is no plain record');
    const record: { [key: string]: PortValue } = {};
    for (const key of Object.keys(value)) {
      // Not by assignment: a key `__proto__` is data like any other.
      const part = copy(Reflect.get(value, key), path(key), depth + 1);
      Object.defineProperty(record, key, {
        value: part,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return record;
  };
  return copy(untrusted, '', 0);
}

/** As `copyPlainData`, for the arguments of a call. */
export function copyArguments(untrusted: readonly unknown[], buffers?: ArrayBuffer[]): readonly PortValue[] {
  return copyPlainData(untrusted, buffers) as readonly PortValue[];
}

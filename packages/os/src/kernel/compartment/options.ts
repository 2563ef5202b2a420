import { isBytes, type PortValue } from '@sevenfold/formats';
import type { CompartmentOptions } from '../compartment-calls.ts';

/** What the hardware was given to start this compartment with. */
export interface CompartmentStart {
  readonly module: Uint8Array;
  readonly options: CompartmentOptions;
}

function isRecord(value: PortValue | undefined): value is { readonly [key: string]: PortValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value);
}

const isText = (value: PortValue): value is string => typeof value === 'string';

function isFile(value: PortValue): value is { readonly path: string; readonly bytes: Uint8Array } {
  return isRecord(value) && typeof value['path'] === 'string' && isBytes(value['bytes']);
}

/** Reads the answer of the hardware's `module`. The kernel made it: anything odd is a defect and throws TypeError. */
export function readStart(value: PortValue): CompartmentStart {
  if (isRecord(value) && isBytes(value['module']) && isRecord(value['options'])) {
    const { args, entryPoint, files, mutableQuota, osVersion } = value['options'];
    if (
      Array.isArray(args) &&
      args.every(isText) &&
      typeof entryPoint === 'string' &&
      Array.isArray(files) &&
      files.every(isFile) &&
      typeof mutableQuota === 'number' &&
      typeof osVersion === 'string'
    ) {
      return { module: value['module'], options: { args, entryPoint, files, mutableQuota, osVersion } };
    }
  }
  throw new TypeError('The hardware gave no module and options.');
}

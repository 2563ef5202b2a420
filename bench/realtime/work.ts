import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The builds of `testdata/work.c`: for our core and QEMU, for the RP2040, and one with 60 KB of hot functions. */
export type Build = 'm4' | 'm0' | 'large';

/** Where a build says how often to work, and where it leaves its answer. */
export const HEAD = { iterations: 8, answer: 12 } as const;

/** A build as it lies in memory from its base on, told to work so often. */
export function workOf(build: Build, iterations: number): Uint8Array {
  const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, 'testdata', `work-${build}.bin`)));
  new DataView(bytes.buffer).setUint32(HEAD.iterations, iterations, true);
  return bytes;
}

/** CPU seconds of this process so far, all its threads together. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** What a run of the work came to. */
export interface WorkRun {
  readonly answer: number;
  /** CPU seconds. */
  readonly seconds: number;
  readonly instructions: number;
}

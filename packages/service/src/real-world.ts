import { randomBytes, randomFillSync } from 'node:crypto';
import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Clock, Entropy } from '@sevenfold/formats';
import type { LogDestination } from './http/log.ts';

/** The machine's clock. Its sleepers keep no process alive. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds).unref()),
};

/** Serial numbers, nonces and ids are short: so many bytes are fetched at once for them. */
const POOL_LENGTH = 4096;
const LONGEST_OF_POOL = 64;
const pool = new Uint8Array(POOL_LENGTH);
let poolAt = POOL_LENGTH;

/** The machine's entropy: OpenSSL's generator. A call of it costs more than what most ask for, so those share one. */
export const SYSTEM_ENTROPY: Entropy = {
  random(length) {
    if (length > LONGEST_OF_POOL) return new Uint8Array(randomBytes(length));
    if (poolAt + length > POOL_LENGTH) {
      randomFillSync(pool);
      poolAt = 0;
    }
    const bytes = pool.slice(poolAt, poolAt + length);
    // Given out once, and then known to nobody but who asked.
    pool.fill(0, poolAt, poolAt + length);
    poolAt += length;
    return bytes;
  },
};

/** A log file is put aside when it is larger than this, in bytes; one former file is kept. */
const LARGE_LOG = 16 * 1024 * 1024;

/** Appends lines to a file of mode 0600. Strangers cause lines, too: two files of `largest` bytes are all there is. */
export function openLogFile(file: string, largest = LARGE_LOG): LogDestination & { close(): void } {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const open = (): number => {
    const opened = openSync(file, 'a', 0o600);
    chmodSync(file, 0o600);
    return opened;
  };
  let descriptor = open();
  let size = fstatSync(descriptor).size;
  let isOpen = true;
  return {
    write(line) {
      // A connection that breaks while the service closes may still have something to say.
      if (!isOpen) return;
      if (size > largest) {
        closeSync(descriptor);
        renameSync(file, `${file}.1`);
        descriptor = open();
        size = 0;
      }
      size += writeSync(descriptor, line);
    },
    close() {
      isOpen = false;
      closeSync(descriptor);
    },
  };
}

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Entropy } from '@sevenfold/formats';
import { openFileKeyStore } from '@sevenfold/pki';
import { openFolderBlobStore } from './blobs/folder-blob-store.ts';
import { SILENT_LOG } from './http/log.ts';
import type { ServiceContext } from './service-context.ts';
import { migrate } from './store/migrate.ts';
import { SCHEMAS } from './store/schemas.ts';
import { openSqliteStore } from './store/sqlite-store.ts';

/** A clock that tests move: milliseconds since 1970. */
export interface TestClock {
  now(): number;
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  advance(milliseconds: number): void;
}

/** The real store, blobs and keys in a folder of their own, on a clock and an entropy of the test. */
export interface TestService extends ServiceContext {
  readonly folder: string;
  readonly clock: TestClock;
  close(): Promise<void>;
}

/** A clock that stands still until it is moved; sleepers wake when it reaches their time. */
export function testClock(start = Date.UTC(2026, 10, 1)): TestClock {
  let now = start;
  let sleepers: { readonly until: number; wake(): void }[] = [];
  return {
    now: () => now,
    monotonic: () => now - start,
    sleep: (milliseconds) =>
      new Promise((resolve) => sleepers.push({ until: now + milliseconds, wake: () => resolve() })),
    advance(milliseconds) {
      now += milliseconds;
      const due = sleepers.filter((sleeper) => sleeper.until <= now);
      sleepers = sleepers.filter((sleeper) => sleeper.until > now);
      for (const sleeper of due) sleeper.wake();
    },
  };
}

/** Bytes that follow from a seed: tests alone may use this. */
function testEntropy(seed: string): Entropy {
  let count = 0;
  return {
    random(length) {
      const blocks: Uint8Array[] = [];
      for (let have = 0; have < length; have += 32) {
        blocks.push(createHash('sha256').update(`${seed} ${count++}`).digest());
      }
      return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
    },
  };
}

/** Opens everything that the verbs stand on, with all tables; `close` removes it. */
export async function openTestService(seed = 'service'): Promise<TestService> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sevenfold-service-'));
  const clock = testClock();
  const store = openSqliteStore(path.join(folder, 'service.sqlite'));
  await migrate(store, SCHEMAS, clock.now());
  return {
    folder,
    store,
    blobs: await openFolderBlobStore(path.join(folder, 'blobs')),
    keys: await openFileKeyStore(path.join(folder, 'keys')),
    clock,
    entropy: testEntropy(seed),
    log: SILENT_LOG,
    async close() {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

import { setTimeout as pause } from 'node:timers/promises';
import type { OsRelease, VirtualDevice } from '@sevenfold/device';
import { buildModule, op } from '../../packages/os/src/kernel/testing/wasm-builder.ts';
import type { Figure } from '../figure.ts';
import { quantile } from '../pairs.ts';
import { deviceWith, type BenchSigner } from './device.ts';
import { componentOf, packIdle } from './idle-apps.ts';

const SPINNERS = 3;
const ROUNDS = 5;
/** Calls of the kernel in each half of a round, and ms between two of them: they fall anywhere in a slice of time. */
const CALLS = 400;
const BETWEEN = 3;
const MOST_MILLISECONDS = 10;

/** Ms that each of some calls of the kernel takes. */
async function delays(device: VirtualDevice): Promise<readonly number[]> {
  const all: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    const begun = performance.now();
    await device.gateway.call('appList');
    all.push(performance.now() - begun);
    await pause(BETWEEN);
  }
  return all;
}

const told = (all: readonly number[]): string =>
  `99 % within ${quantile(all, 0.99).toFixed(1)} ms, the longest ${Math.max(...all).toFixed(1)}`;

/** How long a call of the kernel takes while apps, more than there are processors, never give theirs back. */
export async function measureDelay(release: OsRelease, signer: BenchSigner): Promise<Figure> {
  const module = buildModule({ start: op.loop([]) });
  const indexes = Array.from({ length: SPINNERS }, (_, index) => index);
  const device = await deviceWith(
    release,
    await Promise.all(indexes.map((index) => packIdle(module, index, signer))),
  );
  const alone: number[] = [];
  const beside: number[] = [];
  try {
    await device.boot();
    for (let round = 0; round < ROUNDS; round++) {
      beside.push(...(await delays(device)));
      for (const index of indexes) await device.gateway.call('appRemoved', componentOf(index));
      alone.push(...(await delays(device)));
      for (const index of indexes) await device.gateway.call('appInstalled', componentOf(index));
    }
  } finally {
    await device.close();
  }
  const most = quantile(beside, 0.99);
  return {
    name: `a call of the kernel beside ${SPINNERS} apps that spin`,
    measured: told(beside),
    peer: `without them ${told(alone)}`,
    target: `≤ ${MOST_MILLISECONDS} ms, 99 % of calls`,
    isMet: most <= MOST_MILLISECONDS,
  };
}

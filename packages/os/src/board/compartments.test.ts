import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { BootLog } from './boot-log.ts';
import { Compartments } from './compartments.ts';
import { hostClock, settableClock } from './host-clock.ts';
import { inlineLoader } from './inline-loader.ts';
import type { LoadedStage } from './stage-loader.ts';
import { threadLoader } from './thread-loader.ts';

/** A kernel that takes whatever it is told. */
const kernel: LoadedStage = {
  portFor: () => ({ call: () => Promise.resolve(null) }),
  stop: () => Promise.resolve(),
  cpuTime: () => Promise.resolve(null),
};
const waits = utf8Encode('globalThis.stage = { async start() {} };');
/** Comes up, and from then on never gives the processor back. */
const spins = utf8Encode(
  'globalThis.stage = { async start(h) { void h.clock.sleep(1).then(() => { for (;;); }); } };',
);

describe('processor time', () => {
  it('is counted for each compartment, even one that never answers', async () => {
    const compartments = new Compartments(threadLoader(), settableClock(hostClock()), new BootLog());
    const start = (id: number, program: Uint8Array): Promise<void> =>
      compartments.start({ id, program, module: new Uint8Array(0), options: null }, kernel);
    try {
      await start(1, waits);
      await start(2, spins);
      const before = (await compartments.cpuTime(2)) ?? 0;
      await expect.poll(() => compartments.cpuTime(2), { timeout: 10_000 }).toBeGreaterThan(before + 50);
      const idle = (await compartments.cpuTime(1)) ?? Infinity;
      expect((await compartments.cpuTime(1)) ?? Infinity).toBeLessThan(idle + 20);
      expect(await compartments.cpuTime(3)).toBeNull();
    } finally {
      await compartments.stopAll();
    }
    expect(await compartments.cpuTime(2)).toBeNull();
  });

  it('is nobody’s own where all share one thread', async () => {
    const compartments = new Compartments(inlineLoader(), settableClock(hostClock()), new BootLog());
    await compartments.start({ id: 1, program: waits, module: new Uint8Array(0), options: null }, kernel);
    expect(await compartments.cpuTime(1)).toBeNull();
  });
});

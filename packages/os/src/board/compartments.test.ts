import { availableParallelism } from 'node:os';
import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { BootLog } from './boot-log.ts';
import { Compartments } from './compartments.ts';
import { hostClock, settableClock } from './host-clock.ts';
import { inlineLoader } from './inline-loader.ts';
import type { LoadedStage } from './stage-loader.ts';
import { processLoader } from './process-loader.ts';
import { stageProgram } from './testing/stage-program.fixture.ts';
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

/** Ms of the processor that each could have had before shares are compared. */
const ENOUGH = 150;

/** Every twenty milliseconds, a call to the kernel. */
const ticks20 = utf8Encode(`globalThis.stage = { async start(h) {
  void (async () => { for (;;) { await h.clock.sleep(20); await h.ports.kernel.call('tick'); } })();
} };`);

describe('processor time', () => {
  it('is counted for each compartment, even one that never answers', async () => {
    const compartments = new Compartments(threadLoader(), settableClock(hostClock()), new BootLog());
    const start = (id: number, program: Uint8Array): Promise<void> =>
      compartments.start({ id, program, module: new Uint8Array(0), options: null }, kernel);
    try {
      await start(1, waits);
      await start(2, spins);
      const idle = (await compartments.cpuTime(1)) ?? Infinity;
      const before = (await compartments.cpuTime(2)) ?? 0;
      await expect.poll(() => compartments.cpuTime(2)).toBeGreaterThan(before + 200);
      // Whoever waits has used next to nothing of that, however long it took.
      expect((await compartments.cpuTime(1)) ?? Infinity).toBeLessThan(idle + 100);
      expect(await compartments.cpuTime(3)).toBeNull();
    } finally {
      await compartments.stopAll();
    }
    expect(await compartments.cpuTime(2)).toBeNull();
  });

  it.skipIf(process.platform !== 'linux')(
    'is counted for each where each is a process, from outside: whoever spins answers nobody',
    async () => {
      const compartments = new Compartments(
        processLoader(stageProgram()),
        settableClock(hostClock()),
        new BootLog(),
      );
      try {
        await compartments.start({ id: 1, program: spins, module: new Uint8Array(0), options: null }, kernel);
        const before = (await compartments.cpuTime(1)) ?? 0;
        await expect.poll(() => compartments.cpuTime(1)).toBeGreaterThan(before + 100);
      } finally {
        await compartments.stopAll();
      }
      expect(await compartments.cpuTime(1)).toBeNull();
    },
  );

  it('is shared alike by apps that want all of it, and one that wants little gets that in time', async () => {
    const compartments = new Compartments(threadLoader(), settableClock(hostClock()), new BootLog());
    let ticks = 0;
    const counting: LoadedStage = {
      ...kernel,
      portFor: () => ({
        call: () => {
          ticks += 1;
          return Promise.resolve(null);
        },
      }),
    };
    // More of them than there are processors.
    const spinners = Array.from({ length: availableParallelism() + 2 }, (_, index) => index + 1);
    const times = (): Promise<number[]> =>
      Promise.all(spinners.map(async (id) => (await compartments.cpuTime(id)) ?? 0));
    try {
      for (const id of spinners)
        await compartments.start({ id, program: spins, module: new Uint8Array(0), options: null }, kernel);
      await compartments.start(
        { id: 100, program: ticks20, module: new Uint8Array(0), options: null },
        counting,
      );
      const [before, ticksBefore] = [await times(), ticks];
      // The least and the most that one of them has had, as parts of an even share; until that is enough, nothing.
      const parts = async (): Promise<{ readonly least: number; readonly most: number }> => {
        const used = (await times()).map((time, index) => time - (before[index] ?? 0));
        const even = used.reduce((sum, time) => sum + time, 0) / used.length;
        return even < ENOUGH
          ? { least: 0, most: Infinity }
          : { least: Math.min(...used) / even, most: Math.max(...used) / even };
      };
      // Other work of the machine holds up one now and another then, which evens out; who is starved stays behind.
      await expect
        .poll(parts)
        .toSatisfy(({ least, most }: { least: number; most: number }) => least > 1 / 4 && most < 3);
      // A tick is late on a busy machine, where the others need longer for what they have had as well.
      expect(ticks - ticksBefore).toBeGreaterThan(2);
    } finally {
      await compartments.stopAll();
    }
  });

  it('is nobody’s own where all share one thread', async () => {
    const compartments = new Compartments(inlineLoader(), settableClock(hostClock()), new BootLog());
    await compartments.start({ id: 1, program: waits, module: new Uint8Array(0), options: null }, kernel);
    expect(await compartments.cpuTime(1)).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { createVirtualClock, runOnVirtualTime } from './virtual-clock.ts';

describe('a virtual clock', () => {
  it('wakes sleepers in order of time, then of arrival', async () => {
    const clock = createVirtualClock({ start: 1000 });
    const woken: string[] = [];
    const sleep = async (name: string, milliseconds: number): Promise<void> => {
      await clock.sleep(milliseconds);
      woken.push(`${name}@${clock.now()}`);
    };
    const all = Promise.all([sleep('late', 50), sleep('first', 10), sleep('second', 10)]);
    await clock.advance(60);
    await all;
    expect(woken).toEqual(['first@1010', 'second@1010', 'late@1050']);
    expect(clock.monotonic()).toBe(60);
  });

  it('lets a day pass at once', async () => {
    const clock = createVirtualClock();
    const work = async (): Promise<number> => {
      for (let hour = 0; hour < 24; hour++) await clock.sleep(3_600_000);
      return clock.monotonic();
    };
    expect(await runOnVirtualTime(clock, work())).toBe(86_400_000);
  });

  it('lets what is under way come to its sleep before time passes', async () => {
    const clock = createVirtualClock();
    const woken: number[] = [];
    const work = async (): Promise<void> => {
      // As an app that has just been started: turns go by before it waits for anything.
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
      for (let times = 0; times < 4; times++) {
        await clock.sleep(10);
        woken.push(clock.monotonic());
      }
    };
    const working = work();
    await clock.advance(40);
    await working;
    expect(woken).toEqual([10, 20, 30, 40]);
  });

  it('stands still while something holds it', async () => {
    const clock = createVirtualClock();
    const seen: number[] = [];
    const work = async (): Promise<void> => {
      const release = clock.hold();
      const sleeping = clock.sleep(5).then(() => seen.push(clock.monotonic()));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(seen).toEqual([]);
      release();
      release();
      await sleeping;
    };
    await runOnVirtualTime(clock, work());
    expect(seen).toEqual([5]);
    expect(clock.held).toBe(false);
  });

  it('gives what the work throws', async () => {
    const clock = createVirtualClock();
    const work = async (): Promise<void> => {
      await clock.sleep(1);
      throw new Error('broken');
    };
    await expect(runOnVirtualTime(clock, work())).rejects.toThrow('broken');
  });
});

import type { Clock } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { openChip } from '../chip.ts';
import { insecureSeededEntropy } from '../engines.ts';
import { memoryFlash, memoryFuses } from '../memory-storage.ts';
import { halves, runningCore, type RunningCore } from './testing/chip-with-core.ts';

const GPT0 = { ISR: 0x2103_0000, IER: 0x2103_0004, CTRL: 0x2103_0010, ICNT: 0x2103_0014 };

/** Time that passes sleeper by sleeper, and how often somebody woke. */
function steppedClock(): Clock & { advance: (milliseconds: number) => Promise<void>; wakes: number } {
  let elapsed = 0;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const clock = {
    wakes: 0,
    now: () => elapsed,
    monotonic: () => elapsed,
    sleep: (milliseconds: number) =>
      new Promise<void>((wake) => sleepers.push({ at: elapsed + milliseconds, wake })),
    async advance(milliseconds: number) {
      const until = elapsed + milliseconds;
      for (;;) {
        sleepers.sort((a, b) => a.at - b.at);
        const next = sleepers[0];
        if (next === undefined || next.at > until) break;
        sleepers.shift();
        elapsed = next.at;
        clock.wakes += 1;
        next.wake();
        await new Promise((resolve) => setImmediate(resolve));
      }
      elapsed = until;
    },
  };
  return clock;
}

function clockedCore(code?: Uint8Array): RunningCore & { readonly clock: ReturnType<typeof steppedClock> } {
  const clock = steppedClock();
  const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  chip.attachCrystal(clock);
  return { ...runningCore(code === undefined ? { chip } : { chip, code }), clock };
}

describe('cores on the board’s clock', () => {
  it('are left alone while they sleep, and looked at when a timer of theirs is due', async () => {
    const { clock, write, enable, interrupts, core } = clockedCore();
    await clock.advance(5);
    clock.wakes = 0;
    await clock.advance(3_600_000);
    expect(clock.wakes).toBe(0);
    const look = (): void => core.debugInput(new Uint8Array(0));
    look();
    write(GPT0.IER, 1);
    write(GPT0.ICNT, 32_768);
    write(GPT0.CTRL, 5);
    enable(1);
    look();
    await clock.advance(990);
    expect(interrupts()).toEqual([]);
    await clock.advance(20);
    expect(interrupts()).toEqual([1]);
    expect(clock.wakes).toBeLessThan(10);
  });

  it('wake in the moment in which something comes from outside', async () => {
    const { clock, chip, core, enable, write, interrupts, realTime } = clockedCore();
    write(0x2105_0018, 2);
    enable(11);
    await clock.advance(1000);
    core.application.write(0x14, 2);
    expect(realTime.time / 197_600).toBeCloseTo(1000, 3);
    await clock.advance(2);
    expect(interrupts()).toEqual([11]);
    expect(chip.realTimeCores[1]?.state).toBe('off');
  });

  it('fall behind where the host is too slow, and are not run for all of it at once', async () => {
    const { clock, realTime, core } = clockedCore(halves(0xe7fe));
    await clock.advance(5);
    const before = realTime.time;
    // The host was away for a minute.
    clock.monotonic = () => clock.now() + 60_000;
    core.debugInput(Uint8Array.of(1));
    expect((realTime.time - before) / 197_600).toBeCloseTo(10, 1);
  });

  it('stand still without power', async () => {
    const { clock, chip } = clockedCore(halves(0xe7fe));
    await clock.advance(3);
    chip.powerOff();
    clock.wakes = 0;
    await clock.advance(100);
    expect(clock.wakes).toBeLessThan(2);
    expect(chip.realTimeCores[0]?.state).toBe('off');
  });
});

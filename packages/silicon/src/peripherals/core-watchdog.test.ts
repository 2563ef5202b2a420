import { describe, expect, it } from 'vitest';
import { runningCore } from '../cores/testing/chip-with-core.ts';

const WDT = {
  MODE: 0x2102_0030,
  LENGTH: 0x2102_0034,
  RESTART: 0x2102_0038,
  STATUS: 0x2102_003c,
  SWRST: 0x2102_0044,
};
const SECOND = (32 << 5) | 8;

describe('the watchdog of a core', () => {
  it('ends what does not restart it in time, and whoever runs next learns of it', () => {
    const { core, chip, write, read, run } = runningCore();
    expect(read(WDT.STATUS)).toBe(0);
    write(WDT.LENGTH, SECOND);
    write(WDT.MODE, 0x2201);
    for (let second = 0; second < 3; second++) {
      run(0.9);
      write(WDT.RESTART, 0x1971);
    }
    run(0.9);
    expect(core.state).toBe('running');
    run(0.2);
    expect(core.failure).toMatchObject({ kind: 'watchdog', fault: null });
    expect(chip.interrupts.isHigh(128)).toBe(true);
    const again = runningCore({ chip });
    expect(again.read(WDT.STATUS)).toBe(1 << 15);
    chip.reset('Restart');
    expect(runningCore({ chip }).read(WDT.STATUS)).toBe(0);
  });

  it('interrupts first where it was asked to, and bites after as long again', () => {
    const { core, write, read, run, enable, interrupts } = runningCore();
    write(WDT.LENGTH, SECOND);
    write(WDT.MODE, 0x2209);
    enable(3);
    run(1.1);
    expect(interrupts()).toEqual([3]);
    expect(read(WDT.STATUS)).toBe(1 << 15);
    write(WDT.RESTART, 0x1971);
    enable(3);
    run(0.9);
    expect(read(WDT.STATUS)).toBe(0);
    run(1.2);
    expect(core.failure?.kind).toBe('watchdog');
  });

  it('listens to nothing without its keys', () => {
    const { core, write, read, run } = runningCore();
    write(WDT.LENGTH, SECOND);
    write(WDT.MODE, 0x2201);
    write(WDT.LENGTH, 0x7ff << 5);
    for (const value of [0, 0x1209, 0x2200 >> 1]) write(WDT.RESTART, value);
    for (const value of [0, 0x1971]) write(WDT.SWRST, value);
    write(WDT.MODE, 0x1100);
    expect([read(WDT.MODE), read(WDT.LENGTH)]).toEqual([1, 32 << 5]);
    run(1.1);
    expect(core.failure?.kind).toBe('watchdog');
  });

  it('resets at once on request', () => {
    const { core, chip, write } = runningCore();
    write(WDT.SWRST, 0x1209);
    expect(core.failure?.kind).toBe('reset');
    expect(runningCore({ chip }).read(WDT.STATUS)).toBe(1 << 14);
  });
});

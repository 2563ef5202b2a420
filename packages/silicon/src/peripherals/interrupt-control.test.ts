import { describe, expect, it } from 'vitest';
import { runningCore } from '../cores/testing/chip-with-core.ts';

const EINT = (input: number): number => 0x2100_0000 + 4 * input;
/** ICPR1: what came before a program was ready for it waits in the NVIC, as on every such core. */
const CLEAR = [0xe000_e284, -1] as const;
const DEBOUNCE = 1 << 9;
const HIGH = 1 << 8;
const DUAL = 1 << 7;

describe('external interrupts of a core', () => {
  it.each([
    ['falling', 0, [0]],
    ['rising', DEBOUNCE | HIGH, [1]],
    ['both', DUAL, [0, 1]],
  ] as const)('come at %s edges of the core’s own pins', (_what, config, levels) => {
    const { chip, write, run, enable, interrupts } = runningCore({ regions: ['gpio3'] });
    chip.pins.drive(12, 1);
    write(EINT(12), config);
    write(...CLEAR);
    const seen: number[] = [];
    for (const level of [0, 1] as const) {
      enable(32);
      const before = interrupts().length;
      chip.pins.drive(12, level);
      run(1e-5);
      if (interrupts().length > before) seen.push(level);
    }
    expect(seen).toEqual(levels);
    expect(new Set(interrupts()).size).toBeLessThan(2);
  });

  it('wait until a button has stopped bouncing', () => {
    const { chip, write, run, enable, interrupts } = runningCore({ regions: ['gpio3'] });
    chip.pins.drive(13, 1);
    // Eight steps of 4,096 Hz: 1.95 ms.
    write(EINT(13), DEBOUNCE | (1 << 4) | 8);
    write(...CLEAR);
    enable(33);
    for (let bounce = 0; bounce < 10; bounce++) {
      chip.pins.drive(13, bounce % 2 === 0 ? 0 : 1);
      run(0.0005);
    }
    expect(interrupts()).toEqual([]);
    chip.pins.drive(13, 0);
    run(0.0019);
    expect(interrupts()).toEqual([]);
    run(0.0001);
    expect(interrupts()).toEqual([33]);
    // A glitch that does not last is nothing.
    enable(33);
    chip.pins.drive(13, 1);
    run(0.001);
    chip.pins.drive(13, 0);
    run(0.1);
    expect(interrupts()).toEqual([33]);
  });

  it('know nothing of pins that belong to others', () => {
    const { chip, write, run, enable, interrupts } = runningCore({ regions: ['gpio3'] });
    write(EINT(8), DUAL);
    enable(28);
    chip.pins.drive(8, 1);
    chip.pins.drive(8, 0);
    run(0.001);
    expect(interrupts()).toEqual([]);
  });

  it('begin with the level that a pin has when the core starts', () => {
    const first = runningCore({ regions: ['gpio3'] });
    first.chip.pins.drive(12, 1);
    const { write, run, enable, interrupts, chip } = runningCore({ chip: first.chip, regions: ['gpio3'] });
    write(EINT(12), HIGH);
    enable(32);
    run(0.001);
    expect(interrupts()).toEqual([]);
    chip.pins.drive(12, 0);
    chip.pins.drive(12, 1);
    run(0.001);
    expect(interrupts()).toEqual([32]);
  });
});

describe('an external interrupt that is sensitive to its level', () => {
  it('comes as long as the pin has it', () => {
    const { chip, write, run, enable, interrupts } = runningCore({ regions: ['gpio3'] });
    chip.pins.drive(12, 1);
    write(EINT(12), 0);
    write(0x2100_0204, 1);
    write(...CLEAR);
    enable(32);
    run(1e-5);
    expect(interrupts()).toEqual([]);
    chip.pins.drive(12, 0);
    run(1e-5);
    expect(interrupts()).toEqual([32]);
    enable(32);
    run(1e-5);
    expect(interrupts()).toEqual([32, 32]);
    chip.pins.drive(12, 1);
    enable(32);
    run(1e-5);
    enable(32);
    run(1e-5);
    // Once more it was up when the handler was left.
    expect(interrupts().length).toBeLessThan(4);
  });
});

describe('the interrupt block', () => {
  it('interrupts on request of software, and keeps its settings', () => {
    const { read, write, run, enable, interrupts } = runningCore();
    enable(40, 99);
    write(0x2100_0308, 1 << 8);
    run(1e-5);
    expect(interrupts()).toEqual([40]);
    write(0x2100_070c, 1 << 3);
    run(1e-5);
    expect(interrupts()).toEqual([40, 99]);
    write(0x2100_0204, 0xf0f0);
    write(EINT(3), 0xffff_ffff);
    expect([read(0x2100_0204), read(EINT(3))]).toEqual([0xf0f0, 0x3ff]);
    write(0x2100_0900, 1);
    expect([read(0x2100_0204), read(EINT(3))]).toEqual([0, 0]);
  });
});

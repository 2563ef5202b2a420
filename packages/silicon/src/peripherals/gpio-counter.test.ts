import { BUS_REGIONS } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { runningCore, type RunningCore } from '../cores/testing/chip-with-core.ts';

const BASE = BUS_REGIONS.gpio1.offset + 0x100;
const R = {
  CTRL_3: 0x0c,
  DYNAMIC: 0x10,
  RST_VAL: 0x20,
  LOW: 0x24,
  HIGH: 0x28,
  INT_EN: 0x30,
  INT_CLR: 0x34,
} as const;
const V = { INT_STS: 0x38, CAP_FIFO: 0x40, CAP_0: 0x44, COUNTER: 0x4c } as const;
const MODE = { upDown: 1 << 18, quadrature: 2 << 18 } as const;
const BOTH_EDGES = 2 << 16;

function counter(control: number, settings: Readonly<Record<number, number>> = {}) {
  const world = runningCore({ regions: ['gpio1'] });
  const write = (register: number, value: number): void => world.write(BASE + register, value);
  write(R.CTRL_3, control);
  for (const [register, value] of Object.entries(settings)) write(Number(register), value);
  // As drivers do: enabled, then reset and let go.
  write(R.DYNAMIC, 0x3_0003);
  write(R.DYNAMIC, 3);
  const pin = (index: number, ...levels: readonly (0 | 1)[]): void => {
    for (const level of levels) world.chip.pins.drive(4 + index, level);
  };
  return { world, write, pin, read: (register: number): number => world.read(BASE + register) };
}
const steps = (
  pin: (index: number, level: 0 | 1) => void,
  order: readonly (readonly [number, 0 | 1])[],
): void => {
  for (const [index, level] of order) pin(index, level);
};

describe('the counters of a GPIO group', () => {
  it('count edges of one pin in the direction of another', () => {
    const { pin, read } = counter(0, { [R.RST_VAL]: 100 });
    pin(1, 1);
    pin(0, 1, 0, 1, 0, 1, 0);
    expect(read(V.COUNTER)).toBe(103);
    pin(1, 0);
    pin(0, 1);
    expect(read(V.COUNTER)).toBe(102);
  });

  it('count up by one pin and down by the other', () => {
    const { pin, read } = counter(MODE.upDown);
    pin(0, 1, 0, 1, 0, 1);
    pin(1, 1);
    expect(read(V.COUNTER)).toBe(2);
    pin(1, 0, 1, 0, 1, 0, 1);
    expect(read(V.COUNTER)).toBe(0xffff_ffff);
    expect(read(V.INT_STS) & (1 << 9)).not.toBe(0);
  });

  it('follow a rotary encoder both ways', () => {
    const { pin, read } = counter(MODE.quadrature | BOTH_EDGES);
    const forward = [
      [0, 1],
      [1, 1],
      [0, 0],
      [1, 0],
    ] as const;
    for (let turn = 0; turn < 5; turn++) steps(pin, forward);
    expect(read(V.COUNTER)).toBe(10);
    const backward = [
      [1, 1],
      [0, 1],
      [1, 0],
      [0, 0],
    ] as const;
    for (let turn = 0; turn < 3; turn++) steps(pin, backward);
    expect(read(V.COUNTER)).toBe(4);
  });

  it('interrupt at their limit until that is cleared, and stay there where they saturate', () => {
    const { world, write, pin, read } = counter(MODE.upDown | (1 << 28), { [R.HIGH]: 3, [R.INT_EN]: 2 });
    world.enable(72);
    pin(0, 1, 0, 1, 0);
    world.run(1e-5);
    expect(world.interrupts()).toEqual([]);
    pin(0, 1, 0, 1, 0, 1);
    world.run(1e-5);
    expect([read(V.COUNTER), ...world.interrupts()]).toEqual([3, 72]);
    write(R.INT_CLR, 2);
    expect(read(V.INT_STS) & 2).toBe(0);
    expect(world.chip.interrupts.isHigh(72)).toBe(false);
  });

  it('write down when a pin changed, eight times, and are reset by the third pin', () => {
    // Both edges of pin 0; pin 2 high resets the captures.
    const { world, pin, read }: { world: RunningCore } & ReturnType<typeof counter> = counter(
      (2 << 8) | 1 | 2,
    );
    for (let edge = 0; edge < 10; edge++) {
      world.run(0.001);
      pin(0, edge % 2 === 0 ? 1 : 0);
    }
    expect(read(V.CAP_FIFO)).toBe(8);
    expect(read(V.INT_STS) & (1 << 12)).not.toBe(0);
    const times = Array.from({ length: 8 }, () => read(V.CAP_0));
    expect(times.map((time) => Math.round(time / 26_000))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    pin(0, 1);
    pin(2, 1);
    expect([read(V.CAP_FIFO), read(V.INT_STS) & 4]).toEqual([0, 4]);
  });
});

import { describe, expect, it } from 'vitest';
import { SiliconError } from '../errors.ts';
import { Core } from './core.ts';
import { Gpt, GPT_REGISTERS } from './gpt.ts';
import { TCM } from './state.ts';

const CLOCK = 197_600_000;
const BASE = 0x2103_0000;
const CODE = TCM.base + 0x400;
const HANDLER = CODE + 0x40;
const halves = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer);

/** A core with its timers, asleep; the handler of all interrupts counts in R7 and clears GPT0's and GPT1's status. */
function sleeper(): { readonly core: Core; readonly write: (register: number, value: number) => void } {
  const box: { gpt?: Gpt } = {};
  const gptAt = (address: number): Gpt => {
    if (address >>> 16 !== BASE >>> 16 || box.gpt === undefined)
      throw new SiliconError('BusFault', 'Nothing is there.');
    return box.gpt;
  };
  const core = new Core({
    bus: {
      read: (address) => gptAt(address).read(address - BASE),
      write: (address, _size, value) => gptAt(address).write(address - BASE, value),
    },
  });
  const gpt = new Gpt({
    now: () => core.now,
    cyclesPerSecond: CLOCK,
    setLine: (line, isUp) => core.setLine(line, isUp),
  });
  box.gpt = gpt;
  core.addTimer(gpt);
  const vectors = Int32Array.from({ length: 116 }, () => HANDLER | 1);
  vectors[0] = TCM.base + TCM.size;
  vectors[1] = CODE | 1;
  core.load(TCM.base, new Uint8Array(vectors.buffer));
  // wfi; b .-2
  core.load(CODE, halves(0xbf30, 0xe7fd));
  // adds r7, #1; str r6, [r5]; bx lr
  core.load(HANDLER, halves(0x3701, 0x602e, 0x4770));
  core.reset();
  core.setRegister(5, BASE);
  core.setRegister(6, 3);
  // Lines 1 and 2.
  core.processor.store(0xe000_e100, 4, 6);
  return { core, write: (register, value) => core.processor.store(BASE + register, 4, value) };
}

describe('the general-purpose timers', () => {
  it('interrupt a sleeping core again and again, exactly on time', () => {
    const { core, write } = sleeper();
    write(GPT_REGISTERS.IER, 1);
    write(GPT_REGISTERS.GPT0_ICNT, 32_768);
    // Enabled, repeating, 32768 Hz: once a second.
    write(GPT_REGISTERS.GPT0_CTRL, 7);
    core.run(CLOCK - 100);
    expect(core.register(7)).toBe(0);
    core.run(200);
    expect(core.register(7)).toBe(1);
    core.run(9 * CLOCK);
    expect(core.register(7)).toBe(10);
    expect(core.executed).toBeLessThan(200);
  });

  it('keep their pace where a period is no whole number of cycles', () => {
    const { core, write } = sleeper();
    write(GPT_REGISTERS.IER, 1);
    // 32768 / 33 Hz: every 199,002.4 cycles.
    write(GPT_REGISTERS.GPT0_ICNT, 1);
    write(GPT_REGISTERS.GPT0_CTRL, 3);
    core.run(33 * CLOCK + 1000);
    expect(core.register(7)).toBe(32_768);
  });

  it('interrupt once where they do not repeat', () => {
    const { core, write } = sleeper();
    write(GPT_REGISTERS.IER, 2);
    write(GPT_REGISTERS.GPT1_ICNT, 10);
    // About 1 kHz.
    write(GPT_REGISTERS.GPT1_CTRL, 1);
    core.run(CLOCK);
    expect(core.register(7)).toBe(1);
    expect(core.processor.load(BASE + GPT_REGISTERS.GPT1_CTRL, 4) & 1).toBe(0);
  });

  it('say nothing where the interrupt is not enabled, but keep the status until it is cleared', () => {
    const { core, write } = sleeper();
    write(GPT_REGISTERS.GPT0_ICNT, 1);
    write(GPT_REGISTERS.GPT0_CTRL, 5);
    core.run(CLOCK);
    expect(core.register(7)).toBe(0);
    expect(core.processor.load(BASE + GPT_REGISTERS.ISR, 4)).toBe(1);
    write(GPT_REGISTERS.ISR, 1);
    expect(core.processor.load(BASE + GPT_REGISTERS.ISR, 4)).toBe(0);
  });

  it('count microseconds in GPT3, and interrupt at its value until that is cleared', () => {
    const { core, write } = sleeper();
    write(GPT_REGISTERS.GPT3_EXPIRE, 500);
    write(GPT_REGISTERS.GPT3_CTRL, (0x19 << 16) | 1);
    core.run(CLOCK / 10_000);
    expect(core.processor.load(BASE + GPT_REGISTERS.GPT3_CNT, 4)).toBe(100);
    expect(core.register(7)).toBe(0);
    core.run((CLOCK / 10_000) * 4 + 10);
    expect(core.register(7)).toBeGreaterThan(0);
    write(GPT_REGISTERS.GPT3_CTRL, (0x19 << 16) | (1 << 15) | 1);
    core.run(10);
    const count = core.register(7);
    core.run(CLOCK);
    expect(core.register(7)).toBe(count);
  });

  it('run free in GPT2, from the moment that they are enabled', () => {
    const { core, write } = sleeper();
    core.run(CLOCK);
    expect(core.processor.load(BASE + GPT_REGISTERS.GPT2_CNT, 4)).toBe(0);
    write(GPT_REGISTERS.GPT2_CTRL, 3);
    core.run(CLOCK * 2);
    expect(core.processor.load(BASE + GPT_REGISTERS.GPT2_CNT, 4)).toBe(65_536);
  });
});

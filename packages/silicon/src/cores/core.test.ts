import { describe, expect, it } from 'vitest';
import type { Core } from './core.ts';
import { offsetOf, SYSRAM, TCM, XIP } from './state.ts';
import { halves } from './testing/chip-with-core.ts';
import { CODE, coreWith, ENGINES, words } from './testing/core-with.ts';
import { compareImages, IMAGES_OF_A_BATCH } from './testing/play-images.ts';

const DEPTH = Number(process.env['SEVENFOLD_DEPTH'] ?? 0);
describe.each(ENGINES)('a core ($engine)', (options) => {
  it('counts every instruction once, those that IT skips included', () => {
    // movs r0, #0; cmp r0, #1; it eq; addeq r0, r0, r0; adds r0, #1; b .
    const core = coreWith(halves(0x2000, 0x2801, 0xbf08, 0x1800, 0x3001, 0xe7fe), options);
    expect(core.run(5)).toBe(5);
    expect([core.register(0), core.register(15), core.now]).toEqual([1, CODE + 10, 5]);
    core.run(1000);
    expect([core.now, core.executed, core.register(15)]).toEqual([1005, 1005, CODE + 10]);
  });

  it('stops where it is told, whatever the block', () => {
    // loop: adds r0, #1; adds r1, #1; adds r2, #1; b loop
    const core = coreWith(halves(0x3001, 0x3101, 0x3201, 0xe7fb), options);
    for (let n = 1; n <= 41; n++) core.run(1);
    expect([core.register(0), core.register(1), core.register(2), core.register(15)]).toEqual([
      11,
      10,
      10,
      CODE + 2,
    ]);
  });

  it('sleeps in WFI until SysTick, and skips the time', () => {
    // ldr r0, =0xe000e010; ldr r1, =99999; str r1, [r0, #4]; str r1, [r0, #8]; movs r1, #7; str r1, [r0]
    // loop: wfi; b loop
    const handler = CODE + 0x40;
    const code = halves(0x4803, 0x4904, 0x6041, 0x6081, 0x2107, 0x6001, 0xbf30, 0xe7fd, 0, 0);
    const core = coreWith(code, options, { handlers: { 15: handler | 1 } });
    core.load(CODE + 16, words(0xe000_e010 | 0, 99_999));
    // adds r7, #1; bx lr
    core.load(handler, halves(0x3701, 0x4770));
    core.run(1_000_050);
    expect(core.now).toBe(1_000_050);
    expect(core.register(7)).toBe(10);
    expect(core.executed).toBeLessThan(100);
  });

  it('runs what was written over old code, at once', () => {
    // r0 counts; the loop turns its own adds r0, #1 into adds r0, #2 when r1 comes to 30.
    // loop: adds r0, #1; adds r1, #1; cmp r1, #30; bne next; strh r3, [r2]; next: cmp r1, #60; bne loop; b .
    const code = halves(0x3001, 0x3101, 0x291e, 0xd100, 0x8013, 0x293c, 0xd1f8, 0xe7fe);
    const core = coreWith(code, options);
    core.setRegister(2, CODE);
    core.setRegister(3, 0x3002);
    core.run(2000);
    expect(core.register(0)).toBe(30 + 60);
  });

  it('reads and writes memory that is not aligned, across the end of a granule and of TCM', () => {
    // ldr r1, [r0]; str r1, [r2]; b .
    const core = coreWith(halves(0x6801, 0x6011, 0xe7fe), options);
    core.load(SYSRAM.base, words(0x1122_3344, 0x5566_7788));
    core.setRegister(0, SYSRAM.base + 3);
    core.setRegister(2, TCM.base + 0x1_0000 + 13);
    core.run(3);
    expect(core.register(1)).toBe(0x6677_8811);
    expect([...core.memory.read(TCM.base + 0x1_0000 + 13, 4)]).toEqual([0x11, 0x88, 0x77, 0x66]);
  });

  it('takes a bus fault where the bus refuses, with the address, and goes on in the handler', () => {
    const handler = CODE + 0x40;
    const core = coreWith(halves(0x6801, 0xe7fe), options, { handlers: { 3: handler | 1 } });
    core.load(handler, halves(0x2742, 0xe7fe));
    core.setRegister(0, 0x3800_0000);
    core.run(10);
    expect(core.register(7)).toBe(0x42);
    expect(core.processor.scs.bfar >>> 0).toBe(0x3800_0000);
    expect(core.processor.scs.cfsr).toBe(0x8200);
    expect(core.processor.scs.hfsr).toBe(0x4000_0000);
  });

  it('does not take an error of the host for a fault of the guest', () => {
    const broken = (): never => {
      throw new TypeError('a defect');
    };
    const core = coreWith(halves(0x6801, 0xe7fe), options, { bus: { read: broken, write: broken } });
    core.setRegister(0, 0x3800_0000);
    expect(() => core.run(10)).toThrow(TypeError);
  });

  it('takes an interrupt directly behind the store that raised it', () => {
    const handler = CODE + 0x40;
    const raising: { core?: Core } = {};
    const bus = {
      read: () => 0,
      write: () => raising.core?.setLine(4, true),
    };
    // str r1, [r0]; adds r5, #1; b .
    const core = coreWith(halves(0x6001, 0x3501, 0xe7fe), options, { handlers: { 20: handler | 1 }, bus });
    raising.core = core;
    // mov r6, r5; b .
    core.load(handler, halves(0x002e, 0xe7fe));
    core.processor.store(0xe000_e100, 4, 1 << 4);
    core.setRegister(0, 0x3800_0000);
    core.setRegister(6, 99);
    core.run(10);
    expect(core.register(6)).toBe(0);
    expect(core.processor.status.ipsr).toBe(20);
  });

  it('interrupts again while the line stays up, and no more when it is down', () => {
    const handler = CODE + 0x40;
    const core = coreWith(halves(0xe7fe), options, { handlers: { 16: handler | 1 } });
    core.load(handler, halves(0x3701, 0x4770));
    core.processor.store(0xe000_e100, 4, 1);
    core.setLine(0, true);
    core.run(20);
    expect(core.register(7)).toBeGreaterThan(3);
    core.setLine(0, false);
    core.run(20);
    const count = core.register(7);
    core.run(100);
    expect(core.register(7)).toBe(count);
  });

  it('locks up at a fault in the handler of its fault, and stays so', () => {
    const core = coreWith(halves(0xde00), options, { handlers: { 3: (CODE + 2) | 1 } });
    core.load(CODE + 2, halves(0xde00));
    expect(core.run(1000)).toBeLessThan(1000);
    expect(core.halt).toBe('locked');
    expect(core.run(1000)).toBe(0);
    core.reset();
    expect(core.halt).toBe(null);
  });

  it('takes a HardFault at a breakpoint that nobody attends', () => {
    const handler = CODE + 0x40;
    const core = coreWith(halves(0xbe01), options, { handlers: { 3: handler | 1 } });
    core.load(handler, halves(0xe7fe));
    expect(core.run(10)).toBe(10);
    expect(core.processor.status.ipsr).toBe(3);
    expect(core.processor.scs.hfsr >>> 0).toBe(0x8000_0000);
  });

  it.each([
    ['TCM', TCM.base + TCM.size],
    ['SYSRAM', SYSRAM.base + SYSRAM.size],
    ['XIP', XIP.base + XIP.size],
  ])('takes a bus fault where it runs out of %s', (_name, end) => {
    const handler = CODE + 0x40;
    const core = coreWith(halves(0x4700), options, { handlers: { 3: handler | 1 } });
    core.load(handler, halves(0xe7fe));
    // movs r5, #1; movs r6, #1
    core.load(end - 4, halves(0x2501, 0x2601));
    for (const memory of [SYSRAM.base, XIP.base]) core.load(memory, halves(0x2701, 0xe7fe));
    core.setRegister(0, (end - 4) | 1);
    core.run(20);
    expect([5, 6, 7].map((register) => core.register(register))).toEqual([1, 1, 0]);
    expect(core.processor.scs.cfsr).toBe(0x100);
    expect(core.memory.get(offsetOf(core.register(13)) + 24, 4)).toBe(end);
  });

  it('does not execute from where only data may be', () => {
    const handler = CODE + 0x40;
    const core = coreWith(halves(0x4700), options, { handlers: { 3: handler | 1 } });
    core.load(handler, halves(0xe7fe));
    core.setRegister(0, 0x4000_0001);
    core.run(5);
    expect(core.processor.scs.cfsr).toBe(1);
  });

  it('counts cycles in DWT as it counts instructions', () => {
    const core = coreWith(halves(0xe7fe), options);
    core.processor.store(0xe000_1000, 4, 1);
    const before = core.processor.load(0xe000_1004, 4);
    core.run(1234);
    expect(core.processor.load(0xe000_1004, 4) - before).toBe(1234);
  });

  it('stops before the first instruction that the MPU does not let it fetch, in the middle of straight code', () => {
    // Twenty times adds r5, #1, from CODE + 16 on; the 32 bytes from CODE + 32 on are for data alone.
    const handler = CODE + 0x80;
    const core = coreWith(new Uint8Array(0), options, { handlers: { 3: handler | 1 } });
    core.load(CODE + 16, halves(...Array<number>(20).fill(0x3501), 0xe7fe));
    core.load(handler, halves(0xe7fe));
    const region = (number: number, base: number, attributes: number): void => {
      core.processor.store(0xe000_ed98 | 0, 4, number);
      core.processor.store(0xe000_ed9c | 0, 4, base);
      core.processor.store(0xe000_eda0 | 0, 4, attributes | 1);
    };
    region(0, TCM.base, (3 << 24) | (17 << 1));
    region(1, CODE + 32, (1 << 28) | (3 << 24) | (4 << 1));
    core.processor.store(0xe000_ed94 | 0, 4, 1);
    core.setRegister(15, CODE + 16);
    core.run(30);
    expect(core.register(5)).toBe(8);
    expect(core.processor.scs.cfsr).toBe(1);
    expect(core.memory.get(offsetOf(core.register(13)) + 24, 4)).toBe(CODE + 32);
    // The fault's handler runs without it; taken away, the rest of the code runs.
    core.setRegister(15, CODE + 32);
    core.run(4);
    expect(core.register(5)).toBe(12);
  });

  it('forgets what the MPU allowed when its registers change', () => {
    // loop: ldr r1, [r0]; adds r5, #1; b loop
    const core = coreWith(halves(0x6801, 0x3501, 0xe7fc), options, { handlers: { 3: (CODE + 0x80) | 1 } });
    core.load(CODE + 0x80, halves(0xe7fe));
    core.setRegister(0, TCM.base + 0x1_0000);
    core.processor.store(0xe000_ed94 | 0, 4, 5);
    core.run(300);
    expect(core.register(5)).toBe(100);
    core.processor.store(0xe000_ed9c | 0, 4, TCM.base + 0x1_0000);
    core.processor.store(0xe000_eda0 | 0, 4, (4 << 1) | 1);
    core.run(30);
    expect(core.register(5)).toBe(100);
    expect([core.processor.scs.cfsr, core.processor.scs.mmfar]).toEqual([0x82, TCM.base + 0x1_0000]);
  });

  it('traps unaligned accesses where CCR says so', () => {
    const core = coreWith(halves(0x6801, 0xe7fe), options, { handlers: { 3: (CODE + 2) | 1 } });
    core.processor.store(0xe000_ed14, 4, 0x208);
    core.setRegister(0, TCM.base + 0x1_0001);
    core.run(3);
    expect(core.processor.scs.cfsr).toBe(1 << 24);
  });
});

describe('random memory images', () => {
  it('never hurt the host, and both engines make the same of them', { timeout: 7_200_000 }, () => {
    const batches = DEPTH > 0 ? (1_000_000 * DEPTH) / IMAGES_OF_A_BATCH : 3;
    for (let batch = 0; batch < batches; batch++) {
      // To translate whatever runs once takes twenty times as long as the rest: now and then.
      const isEager = DEPTH === 0 ? batch === 0 : batch % 32 === 0;
      const images = DEPTH > 0 ? IMAGES_OF_A_BATCH : isEager ? 30 : 150;
      expect(compareImages(batch, isEager ? 0 : batch % 3, images).differsAt).toBe(-1);
    }
  });
});

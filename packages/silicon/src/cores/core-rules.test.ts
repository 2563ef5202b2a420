import { describe, expect, it } from 'vitest';
import { SiliconError } from '../errors.ts';
import type { Core } from './core.ts';
import { TCM } from './state.ts';
import { halves } from './testing/chip-with-core.ts';
import { CODE, coreWith, ENGINES } from './testing/core-with.ts';

const HANDLER = CODE + 0x80;
const SECOND = CODE + 0xc0;
const STAY = 0xe7fe;
const TOP = TCM.base + TCM.size;
const NVIC_ENABLE = 0xe000_e100;
const NVIC_PRIORITY = 0xe000_e400;
const SCR = 0xe000_ed10;
const ICSR = 0xe000_ed04;

const set = (core: Core, register: number, value: number): void =>
  core.processor.store(register | 0, 4, value | 0);

/** A bus with memory everywhere, that tells how often it was written and read, and can do something at a write. */
function memoryBus(): {
  readonly bus: {
    readonly read: (address: number) => number;
    readonly write: (address: number, size: number, value: number) => void;
  };
  readonly counts: { reads: number; writes: number };
  readonly hooks: { onWrite: () => void };
} {
  const memory = new Map<number, number>();
  const counts = { reads: 0, writes: 0 };
  const hooks = { onWrite: (): void => undefined };
  const bus = {
    read: (address: number): number => {
      counts.reads += 1;
      return memory.get(address) ?? 0;
    },
    write: (address: number, _size: number, value: number): void => {
      counts.writes += 1;
      memory.set(address, value);
      hooks.onWrite();
    },
  };
  return { bus, counts, hooks };
}

describe.each(ENGINES)('exceptions ($engine)', (options) => {
  it('follow each other on one frame: the second has the registers that the first has left', () => {
    const core = coreWith(halves(STAY), options, { handlers: { 16: HANDLER | 1, 17: SECOND | 1 } });
    // movs r0, #0x55; bx lr – mov r7, r0; mov r6, sp; b .
    core.load(HANDLER, halves(0x2055, 0x4770));
    core.load(SECOND, halves(0x4607, 0x466e, STAY));
    set(core, NVIC_ENABLE, 3);
    for (const line of [0, 1]) {
      core.setLine(line, true);
      core.setLine(line, false);
    }
    core.run(10);
    expect([core.register(7), core.register(6), core.register(14)]).toEqual([0x55, TOP - 0x20, -7]);
  });

  it('of higher priority that come while another is stacked go first, on the frame that is made', () => {
    const { bus, counts, hooks } = memoryBus();
    const core = coreWith(halves(STAY), options, { handlers: { 16: HANDLER | 1, 17: SECOND | 1 }, bus });
    // lsls r5, #4; adds r5, #1; bx lr – lsls r5, #4; adds r5, #2; bx lr
    core.load(HANDLER, halves(0x012d, 0x3501, 0x4770));
    core.load(SECOND, halves(0x012d, 0x3502, 0x4770));
    set(core, NVIC_ENABLE, 3);
    set(core, NVIC_PRIORITY, 0x2040);
    core.setRegister(13, 0x6000_1000);
    hooks.onWrite = () => {
      core.setLine(1, true);
      core.setLine(1, false);
      hooks.onWrite = () => undefined;
    };
    core.setLine(0, true);
    core.setLine(0, false);
    core.run(20);
    expect(core.register(5)).toBe(0x21);
    expect(counts).toEqual({ writes: 8, reads: 8 });
    expect(core.register(13)).toBe(0x6000_1000);
  });

  it('that cannot be masked are taken behind FAULTMASK, and nothing else is', () => {
    // cpsid f; b .
    const core = coreWith(halves(0xb671, STAY), options, {
      handlers: { 2: HANDLER | 1, 16: SECOND | 1 },
    });
    core.load(HANDLER, halves(STAY));
    core.load(SECOND, halves(STAY));
    set(core, NVIC_ENABLE, 1);
    core.run(5);
    core.setLine(0, true);
    core.run(5);
    expect(core.processor.status.ipsr).toBe(0);
    set(core, ICSR, 1 << 31);
    core.run(5);
    expect(core.processor.status.ipsr).toBe(2);
  });

  it.each([
    ['STKERR', 0x1000, [0xdf00], 0x3800_0000],
    // mov sp, r3; bx lr in the handler of SVC.
    ['UNSTKERR', 0x800, [0xdf00], TOP],
  ])('whose frame is where nothing is set %s, and no address', (_name, status, code, sp) => {
    const core = coreWith(halves(...code, STAY), options, {
      handlers: { 3: SECOND | 1, 11: HANDLER | 1 },
    });
    core.load(HANDLER, halves(0x469d, 0x4770));
    core.load(SECOND, halves(STAY));
    core.setRegister(3, 0x3800_0000);
    core.setRegister(13, sp);
    core.run(8);
    expect(core.processor.scs.cfsr & 0xffff).toBe(status);
    expect(core.processor.status.ipsr).toBe(3);
  });

  it('whose vector cannot be read say so in HFSR, and lock the core up where HardFault has none either', () => {
    const core = coreWith(halves(0xdf00, STAY), options);
    set(core, 0xe000_ed08, 0x3800_0000);
    core.run(10);
    expect(core.processor.scs.hfsr & 2).toBe(2);
    expect(core.halt).toBe('locked');
  });

  it('take an exclusive access away from the code that they interrupt', () => {
    // ldrex r1, [r0]; svc 0 or nop; strex r2, r1, [r0]; b .
    const results = [0xdf00, 0xbf00].map((between) => {
      const code = halves(0xe850, 0x1f00, between, 0xe840, 0x1200, STAY);
      const core = coreWith(code, options, { handlers: { 11: HANDLER | 1 } });
      core.load(HANDLER, halves(0x4770));
      core.setRegister(0, TCM.base + 0x1_0000);
      core.setRegister(2, 7);
      core.run(10);
      return core.register(2);
    });
    expect(results).toEqual([1, 0]);
  });
});

describe.each(ENGINES)('accesses that are not aligned ($engine)', (options) => {
  it.each([
    ['LDRD', [0xe9d0, 0x1200]],
    ['STRD', [0xe9c0, 0x1200]],
    ['LDM', [0xc806]],
    ['STM', [0xc006]],
    ['VLDR', [0xed90, 0x0a00]],
    ['LDREX', [0xe850, 0x1f00]],
  ])('fault in %s, whatever CCR says, and change nothing', (_name, code) => {
    const core = coreWith(halves(...code, STAY), options, { handlers: { 3: HANDLER | 1 } });
    core.load(HANDLER, halves(STAY));
    set(core, 0xe000_ed88, 0xf0_0000);
    const data = TCM.base + 0x1_0000;
    core.load(
      data,
      Uint8Array.from({ length: 16 }, (_, index) => index),
    );
    core.setRegister(0, data + 2);
    core.run(5);
    expect(core.processor.scs.cfsr).toBe(1 << 24);
    expect([core.register(0), core.register(1), core.register(2)]).toEqual([data + 2, 0, 0]);
    expect([...core.memory.read(data, 16)]).toEqual(Array.from({ length: 16 }, (_, index) => index));
  });

  it('never reach a peripheral, where aligned ones do', () => {
    const { bus, counts } = memoryBus();
    // ldr r1, [r0]; b .
    const core = coreWith(halves(0x6801, STAY), options, { handlers: { 3: HANDLER | 1 }, bus });
    core.load(HANDLER, halves(STAY));
    core.setRegister(0, 0x4000_0001);
    core.run(5);
    expect([core.processor.scs.cfsr, counts.reads]).toEqual([1 << 24, 0]);
    core.reset();
    core.setRegister(0, 0x4000_0004);
    core.run(5);
    expect([core.processor.scs.cfsr, counts.reads]).toEqual([0, 1]);
  });

  it('to external memory go byte by byte', () => {
    const sizes: string[] = [];
    const bus = {
      read: (address: number, size: number): number => {
        sizes.push(`${address.toString(16)}/${size}`);
        return address & 0xff;
      },
      write: (): never => {
        throw new SiliconError('BusFault', 'Nothing is there.');
      },
    };
    const core = coreWith(halves(0x6801, STAY), options, { bus });
    core.setRegister(0, 0x6000_0001);
    core.run(2);
    expect(sizes).toEqual(['60000001/1', '60000002/1', '60000003/1', '60000004/1']);
    expect(core.register(1)).toBe(0x0403_0201);
  });
});

describe.each(ENGINES)('sleep ($engine)', (options) => {
  it('does not come behind an event, and ends with one', () => {
    // sev; wfe; adds r5, #1; wfe; adds r5, #1; b .
    const core = coreWith(halves(0xbf40, 0xbf20, 0x3501, 0xbf20, 0x3501, STAY), options);
    core.run(10);
    expect([core.register(5), core.halt]).toEqual([1, 'sleeping']);
    // A line that is not enabled wakes only with SCR.SEVONPEND.
    core.setLine(3, true);
    core.run(10);
    expect(core.register(5)).toBe(1);
    set(core, SCR, 0x10);
    core.run(10);
    expect([core.register(5), core.halt]).toEqual([2, null]);
  });

  it('comes with the end of a handler where SCR.SLEEPONEXIT says so', () => {
    const core = coreWith(halves(0x3501, 0xe7fd), options, { handlers: { 16: HANDLER | 1 } });
    core.load(HANDLER, halves(0x3601, 0x4770));
    set(core, NVIC_ENABLE, 1);
    set(core, SCR, 2);
    core.run(10);
    const counted = core.register(5);
    for (let round = 0; round < 3; round++) {
      core.setLine(0, true);
      core.setLine(0, false);
      core.run(100);
      expect(core.halt).toBe('sleeping');
    }
    expect([core.register(5), core.register(6)]).toEqual([counted, 3]);
  });
});

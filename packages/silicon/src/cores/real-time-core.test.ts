import { MAILBOX_REGISTERS, UART_REGISTERS, type PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { TICKS_PER_SECOND } from './core-clock.ts';
import { halves, runningCore, CODE } from './testing/chip-with-core.ts';
import { TCM } from './state.ts';

const DEBUG = 0x2104_0000;
const GPT3 = { CTRL: 0x2103_0050, CNT: 0x2103_0058 };
const CLOCK_SELECT = 0x2101_000c;

/** 115200 baud as the reference's samples set it. */
function setUp(write: (address: number, value: number) => void): void {
  const settings: readonly (readonly [keyof typeof UART_REGISTERS, number])[] = [
    ['LCR', 0x80],
    ['RBR_THR_DLL', 1],
    ['IER_DLM', 0],
    ['LCR', 3],
    ['HIGHSPEED', 3],
    ['SAMPLE_COUNT', 224],
    ['SAMPLE_POINT', 110],
    ['FRACDIV_L', 0xdf],
    ['FRACDIV_M', 0],
  ];
  for (const [register, value] of settings) write(DEBUG + UART_REGISTERS[register], value);
}

describe('a real-time core', () => {
  it('prints byte after byte in its own time, and is told when there is room again', () => {
    const { write, run, output, enable, interrupts } = runningCore();
    setUp(write);
    for (let byte = 0; byte < 20; byte++) write(DEBUG, 0x41 + byte);
    enable(4);
    // Ten bits at 115200 baud take 86.8 µs.
    run(80e-6);
    expect(output).toEqual([]);
    run(10e-6);
    expect(output).toEqual([0x41]);
    run(86.9e-6 * 14);
    expect(output).toHaveLength(15);
    expect(interrupts()).toEqual([]);
    write(DEBUG + UART_REGISTERS.IER_DLM, 2);
    run(90e-6);
    // A FIFO of sixteen: what was written beyond is lost, and the interrupt comes when it is empty.
    expect(String.fromCharCode(...output)).toBe('ABCDEFGHIJKLMNOP');
    expect(interrupts()).toEqual([4]);
  });

  it('is slow until it chooses the fast clock, and its timers go by time all the same', () => {
    const { write, read, run, realTime } = runningCore({ code: halves(0xe7fe) });
    write(GPT3.CTRL, (0x19 << 16) | 1);
    run(0.001);
    expect(realTime.core.executed).toBe(26_000);
    expect(read(GPT3.CNT)).toBe(1000);
    write(CLOCK_SELECT, 0x200);
    run(0.001);
    expect(realTime.core.executed).toBe(26_000 + 197_600);
    expect(read(GPT3.CNT)).toBe(2000);
    expect(realTime.time).toBeCloseTo(0.002 * TICKS_PER_SECOND, 0);
  });

  it('is entered as programs for the original expect: floating point on, and something to read at 0', () => {
    // vmov s0, r0; vmov r1, s0; b .
    const { read, write, run, realTime, core } = runningCore({
      code: halves(0xee00, 0x0a10, 0xee10, 0x1a10, 0xe7fe),
    });
    realTime.core.setRegister(0, 0x4049_0fdb);
    run(0.001);
    expect(core.state).toBe('running');
    expect(realTime.core.register(1)).toBe(0x4049_0fdb);
    expect([read(0), read(0x34), read(0xfffc)]).toEqual([0, 0, 0]);
    expect(() => read(0x1_0000)).toThrow();
    expect(() => write(0, 1)).toThrow();
  });

  it('fails with what it was doing when it locks up, and tells the application core', () => {
    // ldr r0, [r0], from an address where nothing is; the handler does the same.
    const { chip, core, run, realTime } = runningCore({
      code: halves(0x6800, 0xe7fe),
      handler: halves(0x6800),
    });
    realTime.core.setRegister(0, 0x5000_0000);
    realTime.core.setRegister(4, 77);
    run(0.001);
    expect(core.state).toBe('failed');
    expect(core.failure).toMatchObject({
      kind: 'lockup',
      fault: 'PRECISERR',
      cfsr: 0x8200,
      bfar: 0x5000_0000,
    });
    expect(core.failure?.registers[4]).toBe(77);
    expect(core.failure?.registers[15]).toBe(CODE);
    expect(core.failure?.msp).toBe(TCM.base + TCM.size);
    expect(chip.interrupts.isHigh(128)).toBe(true);
    expect(core.application.read(MAILBOX_REGISTERS.CORE_STATE)).toBe(2);
    core.application.write(MAILBOX_REGISTERS.CORE_EVENT, 1);
    expect(chip.interrupts.isHigh(128)).toBe(false);
  });

  it('has failed where a fault’s handler does not end, with the registers of the fault', () => {
    // udf; the handler changes a register and stays.
    const { core, run, realTime } = runningCore({ code: halves(0xde00), handler: halves(0x2400, 0xe7fe) });
    realTime.core.setRegister(4, 77);
    run(0.9);
    expect(core.state).toBe('running');
    run(0.2);
    expect(core.failure).toMatchObject({ kind: 'fault', fault: 'UNDEFINSTR', cfsr: 1 << 16 });
    expect(core.failure?.registers[4]).toBe(77);
  });

  it('goes on where a fault was handled', () => {
    // udf; b . – and a handler that steps over it: ldr r0, [sp, #24]; adds r0, #2; str r0, [sp, #24]; bx lr
    const handler = halves(0x9806, 0x3002, 0x9006, 0x4770);
    const { core, run } = runningCore({ code: halves(0xde00, 0xe7fe), handler });
    run(3);
    expect(core.state).toBe('running');
  });

  it('costs no more for faults by the hundred thousand, and still finds the one whose handler stays', () => {
    // 1: adds r4, #1; cmp r4, r5; beq 2f; udf; b 1b; 2: udf – and a handler that steps over it until R4 has come to R5.
    const code = halves(0x3401, 0x42ac, 0xd001, 0xde00, 0xe7fa, 0xde00, 0xe7fe);
    const handler = halves(0x42ac, 0xd0fe, 0x9806, 0x3002, 0x9006, 0x4770);
    const { core, run, realTime } = runningCore({ code, handler });
    realTime.core.setRegister(4, 0);
    realTime.core.setRegister(5, 60_000);
    run(1.02);
    expect(core.state).toBe('running');
    run(0.2);
    expect(core.failure).toMatchObject({ kind: 'fault', fault: 'UNDEFINSTR' });
    expect(core.failure?.registers[4]).toBe(60_000);
  });

  it('takes no signal of a peripheral that it was not given', () => {
    const { chip, enable, run, interrupts } = runningCore({ regions: ['isu1'] });
    enable(47, 51);
    chip.interrupts.set(47, true);
    chip.interrupts.set(51, true);
    run(1e-5);
    expect(interrupts()).toEqual([51]);
  });

  it('does what the other core and the application core say the same way every time', () => {
    const trace = (): PortValue => {
      const first = runningCore({ code: halves(0x3001, 0xe7fd) });
      const second = runningCore({ chip: first.chip, index: 1, code: halves(0x3001, 0x6008, 0xe7fc) });
      second.realTime.core.setRegister(1, 0x2106_0040);
      first.write(0x2106_0038, 0xf);
      first.enable(14);
      first.run(0.0105);
      return [...first.interrupts(), first.realTime.core.register(0), second.realTime.core.register(0)];
    };
    const once = trace();
    expect(once).toEqual(trace());
    expect(once).toContain(14);
  });
});

import { describe, expect, it } from 'vitest';
import { buildProgram, builtProgram, recordedOutput, runOnCore, runOnQemu } from './testing/programs.ts';

const ENGINES = [
  { engine: 'interpreter' },
  { engine: 'jit', hotAfter: 0 },
  { engine: 'jit', hotAfter: 2 },
] as const;

describe('exceptions, stacking, priorities and faults', () => {
  it.each(ENGINES)('are those of QEMU, line by line ($engine, $hotAfter)', (options) => {
    expect(runOnCore(builtProgram('exceptions'), options)).toBe(recordedOutput('exceptions'));
  });

  it('are those of QEMU in a program that is built now', ({ skip }) => {
    const built = buildProgram('exceptions');
    if (built === null) return skip('gcc-arm-none-eabi is not installed');
    const told = runOnQemu(built.elf);
    if (told === null) return skip('qemu-system-arm is not installed');
    expect(runOnCore(built.bytes, { engine: 'jit', hotAfter: 1 })).toBe(told);
    return undefined;
  });
});

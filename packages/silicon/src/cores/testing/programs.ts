import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SiliconError } from '../../errors.ts';
import { Core, type CoreOptions } from '../core.ts';
import { TCM } from '../state.ts';

const folder = join(import.meta.dirname, '..', 'testdata', 'programs');
const SECTIONS = ['-O', 'binary', '-R', '.boot'];

/** A program of `testdata/programs` as it lies in TCM, built before. */
export const builtProgram = (name: string): Uint8Array => readFileSync(join(folder, `${name}.bin`));

/** What QEMU's core told when it ran a program. */
export const recordedOutput = (name: string): string => readFileSync(join(folder, `${name}.txt`), 'utf8');

/** Builds a program anew; `null` where there is no compiler for the core. */
export function buildProgram(name: string): { readonly elf: string; readonly bytes: Uint8Array } | null {
  const to = mkdtempSync(join(tmpdir(), 'sevenfold-program-'));
  const elf = join(to, `${name}.elf`);
  const binary = join(to, `${name}.bin`);
  const machine = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=softfp', '-mfpu=fpv4-sp-d16'];
  const language = ['-O1', '-fno-tree-loop-distribute-patterns', '-ffreestanding', '-nostdlib'];
  const link = ['-Wl,-T,program.ld', '-Wl,--build-id=none', `${name}.c`, '-o', elf, '-lgcc'];
  const build = spawnSync('arm-none-eabi-gcc', [...machine, ...language, ...link], { cwd: folder });
  if (build.error || build.status !== 0) return null;
  const copy = spawnSync('arm-none-eabi-objcopy', [...SECTIONS, elf, binary]);
  return copy.status === 0 ? { elf, bytes: readFileSync(binary) } : null;
}

/** What a program tells on QEMU's Cortex-M4; `null` where there is no QEMU. */
export function runOnQemu(elf: string): string | null {
  const machine = ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'null'];
  const semihosting = ['-semihosting-config', 'enable=on,target=native', '-kernel', elf];
  const run = spawnSync('qemu-system-arm', [...machine, ...semihosting], { timeout: 30_000 });
  return run.error ? null : run.stdout.toString() + run.stderr.toString();
}

/** Runs a program until it asks the debugger to write a text, and answers that text. */
export function runOnCore(bytes: Uint8Array, options: Omit<CoreOptions, 'bus'>): string {
  const refuse = (): never => {
    throw new SiliconError('BusFault', 'Nothing is there.');
  };
  const core = new Core({ ...options, bus: { read: refuse, write: refuse } });
  core.load(TCM.base, bytes);
  core.reset();
  core.processor.isDebugged = true;
  core.run(5_000_000);
  if (core.halt !== 'breakpoint') return `halted: ${String(core.halt)}`;
  let text = '';
  for (let at = core.register(1); ; at++) {
    const [letter = 0] = core.memory.read(at, 1);
    if (letter === 0) return text;
    text += String.fromCharCode(letter);
  }
}

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RP2040 } from 'rp2040js';
import { cpuSeconds, HEAD, workOf, type WorkRun } from './work.ts';

const RAM = 0x2000_0000;

/** The work on rp2040js' Cortex-M0+, instruction by instruction, without its clock. */
export function workOnRp2040(iterations: number): WorkRun {
  const chip = new RP2040();
  const bytes = workOf('m0', iterations);
  chip.sram.set(bytes);
  const head = new DataView(bytes.buffer);
  const broken = { isDone: false };
  chip.onBreak = () => {
    broken.isDone = true;
  };
  chip.core.SP = head.getUint32(0, true);
  chip.core.PC = head.getUint32(4, true) & ~1;
  const began = cpuSeconds();
  let instructions = 0;
  while (!broken.isDone) {
    for (let n = 0; n < 1000; n++) chip.core.executeInstruction();
    instructions += 1000;
  }
  const seconds = cpuSeconds() - began;
  return { answer: chip.readUint32(RAM + HEAD.answer), seconds, instructions };
}

/** CPU seconds of a program and of what it started, and what it wrote; `null` where it is not installed. */
function timed(program: string, args: readonly string[]): { seconds: number; output: string } | null {
  const quoted = [program, ...args].map((arg) => `'${arg}'`).join(' ');
  const run = spawnSync('sh', ['-c', `${quoted} 2>&1; times`], { encoding: 'utf8', timeout: 300_000 });
  // The second line of `times` is what the shell's children took: minutes and seconds, user and system.
  const lines = run.stdout.trimEnd().split('\n');
  const [user = 0, system = 0] = [...(lines.at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
  );
  const output = lines.slice(0, -2).join('\n');
  return output.includes('not found') ? null : { seconds: user + system, output };
}

/** The work on QEMU's translator; `null` where QEMU is not installed. Its start is not counted. */
export function workOnQemu(iterations: number): WorkRun | null {
  const scratch = mkdtempSync(join(tmpdir(), 'sevenfold-bench-'));
  try {
    const run = (count: number): { seconds: number; output: string } | null => {
      const bytes = workOf('m4', count);
      const file = join(scratch, `work-${count}.bin`);
      const vectors = join(scratch, 'vectors.bin');
      writeFileSync(file, bytes);
      // Its machine starts from vectors at address 0.
      writeFileSync(vectors, bytes.subarray(0, 8));
      const machine = ['-M', 'mps2-an386', '-nographic', '-monitor', 'none', '-serial', 'null'];
      const semihosting = ['-semihosting-config', 'enable=on,target=native'];
      const load = [
        ['-device', `loader,file=${file},addr=0x100000,force-raw=on`],
        ['-device', `loader,file=${vectors},addr=0,force-raw=on`],
      ].flat();
      return timed('qemu-system-arm', [...machine, ...semihosting, ...load]);
    };
    const start = run(1);
    const whole = run(iterations);
    if (start === null || whole === null) return null;
    const seconds = whole.seconds - start.seconds;
    return { answer: Number.parseInt(whole.output, 16), seconds, instructions: 0 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SdkError, type BuiltProgram } from '@sevenfold/sdk';
import { describe, expect, it } from 'vitest';
import { buildCorpusProgram, corpusNames, keptCompiler, keptProgram } from '../scripts/build-corpus.ts';

const DEEP = process.env['SEVENFOLD_DEPTH'] !== undefined;
/** One of each kind, but for those who ask for all. */
const NAMES = DEEP ? corpusNames : ['flash', 'intercore-echo', 'rtos-mutex'];

/** Builds a program anew; null where there is no compiler. */
const built = (name: string): Promise<BuiltProgram | null> =>
  buildCorpusProgram(name).catch((error: unknown) => {
    if (error instanceof SdkError && error.code === 'CompilerMissing') return null;
    throw error;
  });

describe('prebuilt programs of the real-time corpus', () => {
  it.for(NAMES)('are what their sources are built into: %s', async (name, { skip }) => {
    const anew = await built(name);
    if (anew === null) return skip('gcc-arm-none-eabi is not installed');
    const { program, compiler, warnings } = anew;
    expect(warnings).toEqual([]);
    if (compiler !== keptCompiler()) return skip(`built by ${keptCompiler()}, here is ${compiler}`);
    expect(Buffer.from(program).equals(keptProgram(name))).toBe(true);
    return undefined;
  });
});

/** What a program says, or null where it is not there or fails. */
const output = (program: string, args: readonly string[], cwd: string): Promise<string | null> =>
  new Promise((resolve) => {
    execFile(program, args, { cwd }, (error, stdout) => resolve(error === null ? stdout : null));
  });

it('the echo that the kernel is tested with is what its source is built into', async ({ skip }) => {
  const folder = join(import.meta.dirname, '../packages/os/src/kernel/testdata');
  const [compiler = null] = (await output('arm-none-eabi-gcc', ['--version'], folder))?.split('\n') ?? [];
  if (compiler === null) return skip('gcc-arm-none-eabi is not installed');
  if (compiler !== keptCompiler()) return skip(`built by ${keptCompiler()}, here is ${compiler}`);
  const out = mkdtempSync(join(tmpdir(), 'sevenfold-echo-'));
  try {
    expect(await output('sh', ['build.sh', join(out, 'echo.elf')], folder)).not.toBeNull();
    expect(readFileSync(join(out, 'echo.elf')).equals(readFileSync(join(folder, 'echo.elf')))).toBe(true);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
  return undefined;
});

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

// Builds the programs of the real-time corpus anew: `node scripts/build-corpus.ts [NAME …]`. A test compares what is
// kept beside their sources with what this gives.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildProgram, formatDiagnostic, type BuiltProgram } from '@sevenfold/sdk';

const CORPUS = join(import.meta.dirname, '../packages/silicon/src/cores/testdata/corpus');

/** Names of the corpus's programs. */
export const corpusNames: readonly string[] = readdirSync(CORPUS)
  .filter((name) => name.endsWith('.c'))
  .map((name) => name.slice(0, -2))
  .sort();

/** What the compiler said of itself that built what is kept: another one makes other code. */
export const keptCompiler = (): string => readFileSync(join(CORPUS, 'compiler.txt'), 'utf8').trim();

/** A program as it is kept. */
export const keptProgram = (name: string): Uint8Array => readFileSync(join(CORPUS, `${name}.elf`));

/** Compiles and links one program. Throws `SdkError`. */
export function buildCorpusProgram(name: string): Promise<BuiltProgram> {
  const file = { path: `${name}.c`, bytes: readFileSync(join(CORPUS, `${name}.c`)) };
  return buildProgram(
    { files: [file], defines: {}, memory: 'tcm', linkerScript: null, freertos: null },
    null,
  );
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  for (const name of wanted.length > 0 ? wanted : corpusNames) {
    const { program, compiler, warnings } = await buildCorpusProgram(name);
    writeFileSync(join(CORPUS, 'compiler.txt'), `${compiler}\n`);
    for (const warning of warnings) process.stderr.write(`${formatDiagnostic(warning)}\n`);
    writeFileSync(join(CORPUS, `${name}.elf`), program);
    process.stdout.write(`${name}  ${program.length} bytes\n`);
  }
}

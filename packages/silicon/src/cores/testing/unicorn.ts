import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TCM } from '../state.ts';
import { CASE_WORDS } from './random-programs.ts';

/** What an engine made of a case. */
export interface Outcome {
  /** 0, or that the program could not go on. */
  readonly error: number;
  readonly state: Int32Array;
}

/** Compiles the helper; answers its path, or why there is none. */
export function buildOracle(): { readonly path: string } | { readonly reason: string } {
  const path = join(mkdtempSync(join(tmpdir(), 'sevenfold-unicorn-')), 'oracle');
  const source = join(import.meta.dirname, 'unicorn-oracle.c');
  const build = spawnSync('gcc', ['-O2', '-o', path, source, '-lunicorn'], { encoding: 'utf8' });
  if (build.error || build.status !== 0 || !existsSync(path)) {
    return { reason: 'gcc with libunicorn-dev is not installed' };
  }
  return { path };
}

/** What the oracle is to run. */
export interface OracleRun {
  readonly entry: number;
  /** The address that ends it; straight programs need it, for Unicorn does not count what IT skips. */
  readonly until: number;
  /** 0: nothing runs. */
  readonly most: number;
  /** Where `code` goes before. */
  readonly address: number;
  /** Empty: it is in memory. */
  readonly code: Uint8Array;
  readonly state: Int32Array;
}

/** Runs programs one after another on one memory at TCM; answers what came out, and the memory at the end. */
export function runOracle(
  path: string,
  memory: Uint8Array,
  runs: readonly OracleRun[],
): { readonly outcomes: readonly Outcome[]; readonly memory: Uint8Array } {
  const parts: Uint8Array[] = [new Uint8Array(Uint32Array.of(memory.length, TCM.base).buffer), memory];
  parts.push(new Uint8Array(Uint32Array.of(runs.length).buffer));
  for (const { entry, until, most, address, code, state } of runs) {
    parts.push(new Uint8Array(Uint32Array.of(entry, until, most, address, code.length).buffer));
    parts.push(new Uint8Array(state.buffer), code);
    if (code.length % 4 !== 0) parts.push(new Uint8Array(4 - (code.length % 4)));
  }
  const run = spawnSync(path, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(`The oracle failed: ${run.stderr.toString()}`);
  const output = Uint8Array.from(run.stdout);
  const outcomeWords = CASE_WORDS + 1;
  const words = new Int32Array(output.buffer, 0, runs.length * outcomeWords);
  const outcomes = runs.map((_, index) => {
    const at = index * outcomeWords;
    return { error: words[at] ?? 0, state: words.slice(at + 1, at + outcomeWords) };
  });
  return { outcomes, memory: output.slice(4 * words.length) };
}

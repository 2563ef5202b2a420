import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TCM } from '../state.ts';
import { CASE_WORDS, type Case } from './random-programs.ts';

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

/** A case, and how many of its instructions to run. */
export interface Run {
  readonly each: Case;
  readonly executed: number;
}

const bytesOf = (instructions: readonly Uint8Array[]): number =>
  instructions.reduce((sum, bytes) => sum + bytes.length, 0);

/** Runs cases one after another on one memory; answers what came out, and the memory at the end. */
export function runOracle(
  path: string,
  memory: Uint8Array,
  cases: readonly Run[],
): { readonly outcomes: readonly Outcome[]; readonly memory: Uint8Array } {
  const parts: Uint8Array[] = [new Uint8Array(Uint32Array.of(memory.length, TCM.base).buffer), memory];
  parts.push(new Uint8Array(Uint32Array.of(cases.length).buffer));
  for (const { each, executed } of cases) {
    const length = bytesOf(each.instructions);
    const run = bytesOf(each.instructions.slice(0, executed));
    // A bound alone: a straight program stops at its end, for Unicorn does not count what IT skips.
    parts.push(new Uint8Array(Uint32Array.of(each.address, length, run, executed).buffer));
    parts.push(new Uint8Array(each.state.buffer), ...each.instructions);
    if (length % 4 !== 0) parts.push(new Uint8Array(4 - (length % 4)));
  }
  const run = spawnSync(path, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(`The oracle failed: ${run.stderr.toString()}`);
  const output = new DataView(run.stdout.buffer, run.stdout.byteOffset, run.stdout.length);
  const outcomes = cases.map((_, index) => {
    const at = index * 4 * (CASE_WORDS + 1);
    const state = Int32Array.from({ length: CASE_WORDS }, (_each, word) =>
      output.getInt32(at + 4 + 4 * word, true),
    );
    return { error: output.getUint32(at, true), state };
  });
  return { outcomes, memory: new Uint8Array(run.stdout.subarray(cases.length * 4 * (CASE_WORDS + 1))) };
}

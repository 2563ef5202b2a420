import type { CoreOptions } from '../core.ts';
import { TCM } from '../state.ts';
import { randomCase, randomMemory, randomOf, type Case } from './random-programs.ts';
import { bareCore, runCase, type Progress } from './run-case.ts';
import { runOracle, type Outcome } from './unicorn.ts';

/** One run of lock-step: how many random programs of which length, from which seed. */
export interface Plan {
  readonly seed: number;
  readonly cases: number;
  /** Instructions of a program; 1 takes those that may go elsewhere. */
  readonly length: number;
}

/** What one engine made of a plan. */
export interface Played {
  readonly cases: readonly Case[];
  readonly outcomes: readonly (Outcome & Progress)[];
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly instructions: number;
}

/** Runs a plan's programs one after another on one core. */
export function play({ seed, cases: count, length }: Plan, options: Omit<CoreOptions, 'bus'>): Played {
  const random = randomOf(seed);
  const before = randomMemory(random);
  const cases = Array.from({ length: count }, (_, number) => randomCase(random, number, length));
  const core = bareCore(options, before);
  const outcomes = cases.map((each) => runCase(core, each));
  const instructions = outcomes.reduce((sum, { executed }) => sum + executed, 0);
  return { cases, outcomes, before, after: core.memory.read(TCM.base, TCM.size), instructions };
}

const NAMES = ['sp', 'lr', 'pc', 'apsr', 'fpscr'];
const nameOf = (word: number): string =>
  word < 13 ? `r${word}` : word < 18 ? (NAMES[word - 13] ?? '') : `s${word - 18}`;
const hex = (value: number | undefined): string => ((value ?? 0) >>> 0).toString(16);
const APSR = 16;
const PC = 15;

/** In which words an engine's state differs from the oracle's. `hasPc`: PC counts too. */
export function differences(ours: Outcome, theirs: Outcome, hasPc: boolean): readonly string[] {
  const found: string[] = [];
  for (const [word, value] of ours.state.entries()) {
    if (word === PC && !hasPc) continue;
    const mask = word === PC ? ~1 : word === APSR ? 0xf80f_0000 : -1;
    const wanted = (theirs.state[word] ?? 0) & mask;
    if (value !== wanted) found.push(`${nameOf(word)} ${hex(value)} for ${hex(wanted)}`);
  }
  return found;
}

/** Where a played plan and the oracle differ, one line a program. Each line can be typed in again. */
export function disagreements(played: Played, path: string): readonly string[] {
  const runs = played.cases.map((each, index) => {
    const { executed = 0 } = played.outcomes[index] ?? {};
    const until = each.address + Buffer.concat(each.instructions.slice(0, executed)).length;
    const code = Buffer.concat(each.instructions);
    return { entry: each.address, until, most: executed, address: each.address, code, state: each.state };
  });
  const oracle = runOracle(path, played.before, runs);
  const lines: string[] = [];
  for (const [index, each] of played.cases.entries()) {
    const ours = played.outcomes[index];
    const theirs = oracle.outcomes[index];
    if (ours === undefined || theirs === undefined || ours.executed === 0 || ours.isRewritten) continue;
    const isWhole = ours.executed === each.instructions.length;
    // A jump to where nothing is ends Unicorn's run with an error, and its PC is no longer the program's.
    const isLost = theirs.error !== 0;
    const found = isLost && isWhole && ours.executed > 1 ? [`error ${theirs.error}`] : [];
    found.push(...differences(ours, theirs, isWhole && !isLost));
    if (found.length > 0) {
      const code = each.instructions.map((bytes) => Buffer.from(bytes).toString('hex')).join(' ');
      lines.push(`${each.rows.map(({ name }) => name).join(' + ')}: ${code}: ${found.join(', ')}`);
    }
  }
  if (Buffer.compare(played.after, oracle.memory) !== 0) lines.push('memory differs at the end');
  return lines;
}

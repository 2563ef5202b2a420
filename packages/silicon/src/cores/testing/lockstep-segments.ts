import type { Core, CoreOptions } from '../core.ts';
import { decode } from '../decoder.ts';
import { offsetOf, TCM } from '../state.ts';
import { differences } from './lockstep.ts';
import { CODE, randomOf } from './random-programs.ts';
import { randomSegments, stateFor, type Segment, type SegmentImage } from './random-segments.ts';
import { bareCore, outcomeOf, prepare } from './run-case.ts';
import { runOracle, type Outcome } from './unicorn.ts';

/** One image of segments, and how often each of them is entered. */
export interface SegmentPlan {
  readonly seed: number;
  readonly isElsewhere: boolean;
  readonly rounds: number;
}

interface Entered {
  readonly segment: Segment;
  readonly state: Int32Array;
  readonly outcome: Outcome;
  readonly executed: number;
  /** Whether it came to its end, and did not fault. */
  readonly isWhole: boolean;
}

/** What one engine made of an image. */
export interface PlayedSegments {
  readonly image: SegmentImage;
  readonly entered: readonly Entered[];
  readonly after: Uint8Array;
  /** Instructions in all, and those of them that the interpreter executed. */
  readonly instructions: number;
  readonly interpreted: number;
  /** Left out: runs that stored over code, whose effect without ISB is open, and loops that did not end. */
  readonly rewrites: number;
  readonly endless: number;
  /** Instructions by encoding, of those that surely ran. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Enough for any loop that a segment has. */
const MOST_INSTRUCTIONS = 2000;

/** Enters all segments of an image again and again, on one core. */
export function playSegments(plan: SegmentPlan, options: Omit<CoreOptions, 'bus'>): PlayedSegments {
  const image = randomSegments(plan.seed, plan.isElsewhere);
  const random = randomOf(plan.seed ^ 0x5eed);
  const core = bareCore(options, image.memory);
  const code = image.memory.subarray(CODE.base - TCM.base, CODE.base + CODE.size - TCM.base);
  const entered: Entered[] = [];
  const counts = new Map<string, number>();
  let rewrites = 0;
  let endless = 0;
  let instructions = 0;
  let interpreted = 0;
  const before = core.memory.read(TCM.base, TCM.size);
  const enter = (segment: Segment, isRoot = false): void => {
    const state = stateFor(segment, random);
    before.set(core.memory.bytesOf(TCM.base, TCM.size));
    prepare(core, { state, address: segment.address });
    core.processor.isDebugged = true;
    const start = core.executed;
    const byInterpreter = core.interpreted;
    core.run(segment.kind === 'elsewhere' ? segment.length : MOST_INSTRUCTIONS);
    const executed = core.executed - start;
    if (core.halt === 'locked' && storesManyAt(core)) {
      // It may have stored a part before it faulted, which the oracle, stopped before it, has not.
      restore(core, before);
      prepare(core, { state, address: segment.address });
      core.run(executed);
    }
    const isRewritten = Buffer.compare(core.memory.bytesOf(CODE.base, CODE.size), code) !== 0;
    const isWhole = segment.kind === 'elsewhere' ? executed === segment.length : core.halt === 'breakpoint';
    // An address in a loop says nothing of the round: only what comes to the end of a loop can be compared.
    const isEndless = segment.kind === 'looping' && !isWhole;
    if (isRewritten || isEndless || isRoot) {
      if (isRewritten) rewrites += 1;
      else if (isEndless) endless += 1;
      restore(core, before);
      return;
    }
    instructions += executed;
    for (const { name } of segment.rows.slice(0, executed)) counts.set(name, (counts.get(name) ?? 0) + 1);
    interpreted += core.interpreted - byInterpreter;
    entered.push({ segment, state, outcome: outcomeOf(core), executed, isWhole });
  };
  for (const root of image.roots) enter(root, true);
  for (let round = 0; round < plan.rounds; round++) for (const segment of image.segments) enter(segment);
  const after = core.memory.read(TCM.base, TCM.size);
  return {
    image,
    entered,
    after,
    instructions,
    interpreted,
    rewrites,
    endless,
    counts,
  };
}

/** Whether the instruction at PC stores more than once. */
function storesManyAt(core: Core): boolean {
  const offset = offsetOf(core.register(15));
  if (offset < 0 || offset + 4 > TCM.size) return false;
  const instruction = decode(core.memory.get(offset, 2), core.memory.get(offset + 2, 2), 0);
  return /^(STM|PUSH|STRD|VSTM|VPUSH|VSTR)/.test(instruction.row.name);
}

/** Puts TCM back to what it was; code is told to the core only where it has changed. */
function restore(core: Core, before: Uint8Array): void {
  const now = core.memory.read(TCM.base, TCM.size);
  for (let at = CODE.base - TCM.base; at < CODE.base + CODE.size - TCM.base; at++) {
    if (now[at] !== before[at]) core.load(TCM.base + at, before.subarray(at, at + 1));
  }
  core.memory.write(TCM.base, before);
}

/** Where an engine and the oracle differ, one line an entry. */
export function segmentDisagreements(played: PlayedSegments, path: string): readonly string[] {
  const runs = played.entered.map(({ segment, state, outcome, executed, isWhole }) => ({
    entry: segment.address,
    // What goes elsewhere is stopped by count alone; nothing of it stands in an IT block.
    until: segment.kind === 'elsewhere' && isWhole ? 0 : (outcome.state[15] ?? 0),
    most: executed,
    address: 0,
    code: new Uint8Array(0),
    state,
  }));
  const oracle = runOracle(path, played.image.memory, runs);
  const lines: string[] = [];
  for (const [index, { segment, outcome, executed, isWhole }] of played.entered.entries()) {
    const theirs = oracle.outcomes[index];
    if (theirs === undefined || executed === 0) continue;
    // A jump to where nothing is ends Unicorn's run with an error, and its PC is no longer the program's.
    const isLost = theirs.error !== 0;
    const found = isLost && segment.kind !== 'elsewhere' ? [`error ${theirs.error}`] : [];
    found.push(...differences(outcome, theirs, !isLost));
    if (found.length > 0) {
      const code = played.image.memory.subarray(segment.address - TCM.base, segment.end - TCM.base);
      const bytes = Buffer.from(code).toString('hex');
      const what = `${segment.kind} of seed's image at ${segment.address.toString(16)}, entry ${index}`;
      lines.push(
        `${what}, ${executed} executed${isWhole ? '' : ', faulted'}: ${bytes}: ${segment.rows.map(({ name }) => name).join(' + ')}: ${found.join(', ')}`,
      );
    }
  }
  if (Buffer.compare(played.after, oracle.memory) !== 0) lines.push('memory differs at the end');
  return lines;
}

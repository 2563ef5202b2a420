import type { Clock, Entropy } from '@sevenfold/formats';
import type { VirtualClock } from '@sevenfold/device';
import type { Wiring } from '@sevenfold/os';
import { CliError } from '../errors.ts';
import type { Narrator } from '../narrator.ts';

/** What the story runs on. In-process runs from a seed hand in a virtual clock and a seeded entropy. */
export interface StoryEnvironment {
  /** Folder of everything that outlives a run. */
  readonly dataDir: string;
  readonly narrator: Narrator;
  readonly clock: Clock | VirtualClock;
  readonly entropy: Entropy;
  /** Ends the story between two of its looks at the world. */
  readonly signal: AbortSignal;
  /** How the layers of the devices are wired. */
  readonly wiring: Wiring;
}

/** What a step hands on: what it proved, in words, and what must come out the same from the same seed. */
export interface StepResult {
  readonly proved: readonly string[];
  readonly facts: Readonly<Record<string, string>>;
}

/** Claims that `isTrue`; the story stops with `message` where it is not. */
export function prove(isTrue: boolean, message: string): asserts isTrue {
  if (!isTrue) throw new CliError('NotProved', message);
}

/**
 * A story that is being told. On virtual time nothing passes while the story itself works (compilers, disks, its own
 * requests take real time alone); time passes where the story waits for its devices.
 */
export interface Telling extends StoryEnvironment {
  pass<T>(work: () => Promise<T>): Promise<T>;
}

/** Begins to tell: takes hold of virtual time. `end` lets go of it. */
export function beginTelling(environment: StoryEnvironment): {
  readonly telling: Telling;
  readonly end: () => void;
} {
  const { clock } = environment;
  const hold = (): (() => void) => ('hold' in clock ? clock.hold() : () => {});
  let release = hold();
  const telling: Telling = {
    ...environment,
    async pass(work) {
      release();
      try {
        return await work();
      } finally {
        release = hold();
      }
    },
  };
  // What holds time now lets go; letting go twice is no harm.
  return { telling, end: () => release() };
}

/** How often a condition is looked at, in milliseconds. */
const POLL_MILLISECONDS = 25;

/**
 * Resolves with the first answer of `look` that is not null.
 * Rejects with `NotProved` naming `what` when `seconds` have passed on the story's clock.
 */
export async function waitFor<T>(
  telling: Telling,
  what: string,
  seconds: number,
  look: () => T | null | Promise<T | null>,
): Promise<T> {
  const end = telling.clock.monotonic() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (telling.clock.monotonic() >= end)
      throw new CliError('NotProved', `After ${seconds} s still waiting for ${what}.`);
    telling.signal.throwIfAborted();
    await telling.pass(() => telling.clock.sleep(POLL_MILLISECONDS));
  }
}

/** A duration in words: the largest unit that fits. */
export function inWords(milliseconds: number): string {
  const units = [
    ['year', 365 * 24 * 3600_000],
    ['day', 24 * 3600_000],
    ['hour', 3600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  for (const [name, size] of units) {
    // A year of 365 days: certificates count calendar years, so a little more than that.
    const count = Math.round(milliseconds / size);
    if (count >= 1 && (name !== 'day' || milliseconds >= 2 * size))
      return `${count} ${name}${count === 1 ? '' : 's'}`;
  }
  return `${Math.round(milliseconds)} ms`;
}

import type { Entropy } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';

/** Min-entropy that the noise source must yield for each 8-bit sample, in bits: what the cut-offs are made for. */
const CLAIMED_MIN_ENTROPY = 4;
/** Chance that a healthy source fails a test: 2^-FALSE_ALARM for each sample or window. */
const FALSE_ALARM = 40;
/** SP 800-90B §4.4.2: window for sources of more than two symbols. */
const WINDOW = 512;
const START_UP_SAMPLES = 1024;
/** Samples for 32 bytes. */
const SAMPLES = 80;
/** Samples that are tested and thrown away each time somebody asks whether the source is well. */
const WATCH_SAMPLES = 16;

/** SP 800-90B §4.4.1: C = 1 + ⌈-log2 α / H⌉. */
export const REPETITION_CUTOFF = 1 + Math.ceil(FALSE_ALARM / CLAIMED_MIN_ENTROPY);
/** SP 800-90B §4.4.2: the least count whose chance in one window is below α. */
export const PROPORTION_CUTOFF = binomialCutoff(WINDOW, 2 ** -CLAIMED_MIN_ENTROPY, 2 ** -FALSE_ALARM);

/** 1 + the (1 - α) quantile of the binomial distribution. */
function binomialCutoff(trials: number, chance: number, alpha: number): number {
  // Terms from the far end, where they are tiny, so that small ones are not lost in the sum.
  const logChoose: number[] = [0];
  for (let k = 1; k <= trials; k++) logChoose.push((logChoose[k - 1] ?? 0) + Math.log((trials - k + 1) / k));
  let tail = 0;
  for (let k = trials; k > 0; k--) {
    tail += Math.exp((logChoose[k] ?? 0) + k * Math.log(chance) + (trials - k) * Math.log1p(-chance));
    if (tail > alpha) return k + 1;
  }
  return 1;
}

/**
 * Pluton's source of entropy, behind its generator: raw 8-bit samples of a noise source behind the continuous health tests of
 * SP 800-90B §4.4 (repetition count, adaptive proportion), with a start-up test at each reset. A starved or stuck
 * source fails once and stays failed until reset: no keys and no nonces are made from it.
 */
export class EntropySource {
  readonly #noise: Entropy;
  readonly #condition: (samples: Uint8Array) => Uint8Array;
  #state: 'cold' | 'healthy' | 'failed' = 'cold';
  #last = -1;
  #repetitions = 0;
  #sought = -1;
  #found = 0;
  #inWindow = 0;

  /**
   * `condition` is SHA-256, a vetted conditioning component: 80 tested samples, with 320 bits of min-entropy, become
   * 32 bytes of full entropy (SP 800-90C §3.2.2.2: 64 bits more than come out).
   */
  constructor(noise: Entropy, condition: (samples: Uint8Array) => Uint8Array) {
    this.#noise = noise;
    this.#condition = condition;
  }

  /** Forgets everything; the next request begins with the start-up test. */
  reset(): void {
    this.#state = 'cold';
    this.#last = this.#sought = -1;
    this.#repetitions = this.#found = this.#inWindow = 0;
  }

  /**
   * Tests some more samples: a real source runs on between requests, and one that has died meanwhile is found out
   * at the next request, whether that needs entropy or not. Throws `EntropyFailure`.
   */
  watch(): void {
    this.#start();
    this.#sample(WATCH_SAMPLES).fill(0);
  }

  /** `length` bytes of full entropy. Throws `EntropyFailure`. */
  entropy(length: number): Uint8Array {
    this.#start();
    const output = new Uint8Array(length);
    for (let done = 0; done < length; done += 32) {
      const samples = this.#sample(SAMPLES);
      const block = this.#condition(samples);
      samples.fill(0);
      output.set(block.subarray(0, Math.min(32, length - done)), done);
      block.fill(0);
    }
    return output;
  }

  /** §4.3: the start-up samples are tested and thrown away. */
  #start(): void {
    if (this.#state !== 'cold') return;
    this.#sample(START_UP_SAMPLES);
    this.#state = 'healthy';
  }

  #sample(length: number): Uint8Array {
    if (this.#state === 'failed') return this.#fail('has failed before');
    const samples = this.#noise.random(length);
    if (samples.length !== length) return this.#fail('is starved');
    for (const sample of samples) this.#test(sample);
    return samples;
  }

  #test(sample: number): void {
    this.#repetitions = sample === this.#last ? this.#repetitions + 1 : 1;
    this.#last = sample;
    if (this.#repetitions >= REPETITION_CUTOFF) this.#fail(`repeats one value ${REPETITION_CUTOFF} times`);
    if (this.#inWindow === 0) {
      this.#sought = sample;
      this.#found = 0;
    }
    if (sample === this.#sought) this.#found += 1;
    if (this.#found >= PROPORTION_CUTOFF)
      this.#fail(`yields one value ${PROPORTION_CUTOFF} times in ${WINDOW}`);
    this.#inWindow = (this.#inWindow + 1) % WINDOW;
  }

  #fail(why: string): never {
    this.#state = 'failed';
    throw new SiliconError('EntropyFailure', `The noise source ${why}: no keys and no nonces until reset.`, {
      rule: 'SP 800-90B §4.4',
    });
  }
}

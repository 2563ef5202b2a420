import { SiliconError } from '../../errors.ts';
import { Core, type CoreOptions } from '../core.ts';
import { TCM } from '../state.ts';
import { randomImage } from './random-image.ts';
import { randomOf } from './random-programs.ts';

/** Images that one core runs, one after another, each on what the one before has left above it. */
export const IMAGES_OF_A_BATCH = 500;
const SLICES = 12;
const LONGEST_SLICE = 60;

/** What one engine made of a batch of random images. */
interface PlayedImages {
  readonly executed: number;
  readonly interpreted: number;
  /** How slices ended. */
  readonly ends: ReadonlyMap<string, number>;
}

/** What both engines made of it, and the first image after which they were not the same; -1: none. */
export interface ComparedImages {
  readonly engines: readonly PlayedImages[];
  readonly differsAt: number;
}

/** One for all: to make an error takes longer than to run an image. */
const REFUSAL = new SiliconError('BusFault', 'Nothing is there.');
const refuse = (): never => {
  throw REFUSAL;
};

/** A number that is another one where any of the words is. */
function digestOf(from: number, words: ArrayLike<number>): number {
  let digest = from;
  for (let index = 0; index < words.length; index++) {
    digest = Math.imul(digest ^ (words[index] ?? 0), 0x0100_0193) ^ (digest >>> 15);
  }
  return digest;
}

/** A core that runs images one after another. */
class Player {
  readonly core: Core;
  readonly ends = new Map<string, number>();

  constructor(options: Omit<CoreOptions, 'bus'>) {
    this.core = new Core({ ...options, bus: { read: refuse, write: refuse } });
  }

  /**
   * Runs an image in slices of all lengths, with interrupts and changed registers between them. Answers a number of
   * all registers, flags, counts and fault status after every slice.
   */
  play(image: Uint8Array, seed: number): number {
    const { core } = this;
    const { scs, status } = core.processor;
    const random = randomOf(seed);
    core.load(TCM.base, image);
    core.reset();
    let digest = 0;
    for (let slice = 0; slice < SLICES; slice++) {
      core.setRegister(random.below(13), TCM.base + 0x8000 + random.below(0x1_0000));
      if (random.below(4) === 0) core.setLine(random.below(8), random.below(2) === 0);
      core.run(1 + random.below(LONGEST_SLICE));
      digest = digestOf(digest, core.memory.words.subarray(0, 16));
      digest = digestOf(digest, [core.now, core.executed, status.xpsr, scs.cfsr, scs.hfsr, scs.bfar]);
      const end = core.halt ?? (scs.isResetRequested ? 'reset asked for' : 'running');
      this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
      if (core.halt === 'locked' || scs.isResetRequested) core.reset();
    }
    return digestOf(digest, core.memory.words.subarray(32, 64));
  }
}

/** Runs a batch of random images on both engines; `hotAfter` is the translator's. */
export function compareImages(
  batch: number,
  hotAfter: number,
  images: number = IMAGES_OF_A_BATCH,
): ComparedImages {
  const players = [new Player({ engine: 'interpreter' }), new Player({ engine: 'jit', hotAfter })] as const;
  const first = batch * IMAGES_OF_A_BATCH;
  let differsAt = -1;
  for (let number = first; number < first + images && differsAt < 0; number++) {
    const image = randomImage(randomOf(number));
    const [interpreted, translated] = players.map((player) => player.play(image, ~number));
    if (interpreted !== translated) differsAt = number;
  }
  const [before, after] = players.map(({ core }) => core.memory.bytesOf(TCM.base, TCM.size));
  if (differsAt < 0 && before && after && Buffer.compare(before, after) !== 0) differsAt = first + images;
  const engines = players.map(({ core, ends }) => ({
    executed: core.executed,
    interpreted: core.interpreted,
    ends,
  }));
  return { engines, differsAt };
}

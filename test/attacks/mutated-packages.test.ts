import { describe, expect, it } from 'vitest';
import {
  CHIP_SKUS,
  FormatError,
  IMAGE_TYPES,
  ImageRefused,
  concatBytes,
  crc32,
  imageUse,
  parseImagePackage,
  verifyImage,
  verifyKeystore,
} from '@sevenfold/formats';
import { CHIP_ENGINES } from '@sevenfold/silicon';
import { mutate, seededRandom } from '../../packages/formats/src/testing/strictness.ts';
import {
  bothRootKeysHash,
  keys,
  makeApp,
  makeRelease,
  sha256,
} from '../../packages/os/src/board/testing/release.fixture.ts';

const MUTATIONS = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0 ? 100_000 : 10_000;
/** Milliseconds of the processor that no package may take, whatever is in it. */
const MOST_TIME = 20;
/** Bytes at either end of a package where its structure is: superblock and directory, metadata and signature. */
const STRUCTURE = 400;

interface Sample {
  readonly package: Uint8Array;
  readonly verify: (untrusted: Uint8Array) => Promise<unknown>;
}

/** Signed packages of every type, once as chips take them that want one signature and once two. */
async function samples(): Promise<readonly Sample[]> {
  const all: Sample[] = [];
  for (const twice of [false, true]) {
    const release = await makeRelease({ twice });
    for (const { package: bytes } of [...release, { package: makeApp('blink') }]) {
      const { imageType } = parseImagePackage(bytes).fields;
      const isApp = imageType === IMAGE_TYPES.Applications;
      const { spki, thumbprint, second } = isApp ? keys.service : keys.platform;
      const policy = {
        imageType,
        rootKeyHash: twice ? bothRootKeysHash : sha256(keys.root.spki),
        chipSku: CHIP_SKUS['SF-V1'],
        leastSecurityVersion: isApp ? 0 : 1,
        keys: [{ spki, thumbprint, uses: [imageUse(imageType)], ...(twice && { secondSpki: second.spki }) }],
        revokedImageDigests: [],
        needsSecondSignature: twice,
        provided: null,
      };
      const isKeystore = imageType === IMAGE_TYPES.TrustedKeystore;
      all.push({
        package: bytes,
        verify: (untrusted) =>
          isKeystore
            ? verifyKeystore(untrusted, policy, CHIP_ENGINES)
            : verifyImage(untrusted, policy, CHIP_ENGINES),
      });
    }
  }
  return all;
}

/** A mutant: anywhere, or where the structure is; now and then twice, or with a checksum that fits again. */
function mutantOf(good: Uint8Array, random: (below: number) => number): Uint8Array {
  const last = good.length - STRUCTURE;
  const at = [0, last, random(last)][random(3)] ?? 0;
  const end = at + STRUCTURE;
  let part = mutate(good.subarray(at, end), random);
  if (random(4) === 0) part = mutate(part, random);
  const mutant = concatBytes(good.subarray(0, at), part, good.subarray(end));
  if (random(3) === 0 && mutant.length === good.length)
    repairChecksum(mutant, parseImagePackage(good).payload.length);
  return mutant;
}

/** Offset of the checksum in the superblock of a file system. */
const CRC_OFFSET = 32;

function repairChecksum(bytes: Uint8Array, payloadLength: number): void {
  const payload = bytes.subarray(0, payloadLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(CRC_OFFSET, 0, true);
  view.setUint32(CRC_OFFSET, crc32(payload), true);
}

/**
 * Ms of the processor that this thread has had. By the clock, a package that takes a few of them takes longer than any
 * bound wherever other work of the machine comes in between.
 */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function attempt(
  { verify: judge }: Sample,
  mutant: Uint8Array,
): Promise<{ code: string; time: number }> {
  const began = processorTime();
  try {
    await judge(mutant);
    return { code: 'accepted', time: processorTime() - began };
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof ImageRefused)) throw error;
    return { code: error.code, time: processorTime() - began };
  }
}

describe('an image package that somebody changed', () => {
  it('is never accepted, is refused by code, and takes no time worth an attack', async () => {
    const all = await samples();
    for (const sample of all) expect((await attempt(sample, sample.package)).code).toBe('accepted');
    const random = seededRandom(4);
    const codes = new Map<string, number>();
    let slowest = 0;
    let tried = 0;
    while (tried < MUTATIONS) {
      const sample = all[random(all.length)];
      if (sample === undefined) break;
      const mutant = mutantOf(sample.package, random);
      if (Buffer.compare(mutant, sample.package) === 0) continue;
      tried += 1;
      const first = await attempt(sample, mutant);
      let { time } = first;
      // A collection, or a tick of the system's count, may fall into a single run: the best of several says it.
      for (let again = 0; time > MOST_TIME / 2 && again < 5; again++)
        time = Math.min(time, (await attempt(sample, mutant)).time);
      slowest = Math.max(slowest, time);
      codes.set(first.code, (codes.get(first.code) ?? 0) + 1);
    }
    console.log(
      `mutated packages: ${tried} tried, ${tried - (codes.get('accepted') ?? 0)} refused with ${codes.size} codes, ` +
        `slowest ${slowest.toFixed(2)} ms`,
    );
    expect(codes.get('accepted')).toBeUndefined();
    expect(codes.size).toBeGreaterThan(15);
    expect(slowest).toBeLessThan(MOST_TIME);
  }, 300_000);
});

import { equalBytes, toHex } from '@sevenfold/formats';

import {
  keepConclusions,
  publishedForFeed,
  publishedReference,
  supersededAt,
  type ReferenceValue,
} from '../deployments/os-releases.ts';
import type { Attester } from '../registry/find-attester.ts';
import type { ServiceContext } from '../service-context.ts';
import { appraise, type Appraisal, type References } from './appraise.ts';
import { writeComponents, writeResult } from './attestation-record.ts';
import type { MeasuredComponent, UnprovenEvidence } from './evidence.ts';
import { ACCEPTABLE_FOR } from './policy.ts';

/** An appraisal, and how a row keeps it. */
export interface KeptAppraisal {
  readonly appraisal: Appraisal;
  /** JSON, see `attestation-record.ts`. */
  readonly components: string;
  readonly result: string;
}

/** With what it was drawn from, and the first and the last moment (ms) at which it holds. */
type Conclusion = KeptAppraisal & {
  readonly measured: readonly MeasuredComponent[];
  readonly from: number;
  readonly until: number;
};

type Appraised = Pick<UnprovenEvidence, 'lifecycle' | 'components'>;

/** Kinds of devices times releases in the field; evidence says names of its own, so this also bounds the memory. */
const MOST_CONCLUSIONS = 256;
/** Devices of one kind that run one release measure the same: what was concluded for the first holds for all. */
const conclusions = keepConclusions<Conclusion>(MOST_CONCLUSIONS);

/**
 * Judges a genuine device's measurements by what is published for it. Kept until the next release is written or taken
 * back, and no longer than to the moment from which time alone would make it another.
 */
export async function appraiseDevice(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  device: Pick<Attester, 'osFeed' | 'chipSku'>,
  evidence: Appraised,
): Promise<KeptAppraisal> {
  const now = context.clock.now();
  const name = nameOf(device, evidence);
  const conclude = async (): Promise<Conclusion> => {
    const references = await referencesFor(context, device, evidence, now);
    const appraisal = appraise(evidence, references);
    const ends = [...references.acceptedUntil.values()].filter((end) => now <= end);
    return {
      appraisal,
      components: writeComponents(appraisal.components),
      result: writeResult({
        claims: appraisal.claims,
        reference: { feed: references.feed, release: references.current?.name ?? null },
      }),
      // Copies: the evidence's own are views of a request.
      measured: evidence.components.map((one) => ({
        ...one,
        digest: one.digest.slice(),
        signerId: one.signerId.slice(),
      })),
      from: now,
      until: Math.min(Number.POSITIVE_INFINITY, ...ends),
    };
  };
  const isGood = ({ from, until, measured }: Conclusion): boolean =>
    from <= now && now <= until && isSame(measured, evidence.components);
  return (await conclusions.get(context.store, name, conclude, isGood)) ?? conclude();
}

/** The kind of device and the beginnings of its digests: few kinds share a name, and `isSame` tells them apart. */
function nameOf({ osFeed, chipSku }: Pick<Attester, 'osFeed' | 'chipSku'>, evidence: Appraised): string {
  let mixed = evidence.components.length;
  for (const { digest } of evidence.components)
    for (let index = 0; index < 4; index += 1) mixed = Math.imul(mixed ^ (digest[index] ?? 0), 0x01000193);
  return `${osFeed} ${chipSku} ${evidence.lifecycle.text} ${mixed}`;
}

/** With `nameOf`, everything that the judgement depends on but for what is published and the time. */
function isSame(known: readonly MeasuredComponent[], measured: readonly MeasuredComponent[]): boolean {
  if (known.length !== measured.length) return false;
  for (let index = 0; index < known.length; index += 1) {
    const [one, other] = [known[index], measured[index]];
    if (one === undefined || other === undefined) return false;
    const isEqual =
      one.imageType === other.imageType &&
      one.name === other.name &&
      one.securityVersion === other.securityVersion &&
      equalBytes(one.digest, other.digest) &&
      equalBytes(one.signerId, other.signerId);
    if (!isEqual) return false;
  }
  return true;
}

/** Everything that the measurements are compared with: a few look-ups by key. */
async function referencesFor(
  context: Pick<ServiceContext, 'store'>,
  { osFeed: feed, chipSku }: Pick<Attester, 'osFeed' | 'chipSku'>,
  evidence: Appraised,
  now: number,
): Promise<References> {
  const current = await publishedForFeed(context.store, feed, chipSku);
  const byDigest = new Map<string, ReferenceValue | null>();
  const acceptedUntil = new Map<string, number>();
  for (const { digest } of evidence.components) {
    const name = toHex(digest);
    const reference = await publishedReference(context.store, name);
    byDigest.set(name, reference);
    if (reference === null || current?.images.some((image) => image.digest === name)) continue;
    const since = await supersededAt(context.store.read, feed, chipSku, reference.sequence);
    if (since !== null) acceptedUntil.set(name, since + ACCEPTABLE_FOR[feed]);
  }
  return { byDigest, acceptedUntil, current, now, feed: `${feed} on chip SKU ${chipSku}` };
}

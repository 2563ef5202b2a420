import { toHex } from '@sevenfold/formats';
import { z } from 'zod';

import type { ServiceContext } from '../service-context.ts';
import type { AppraisedComponent } from './appraise.ts';
import { CLAIMS, TIERS, type JudgedClaim, type Verdict } from './policy.ts';
import { selectAttestation, selectRefusal } from './queries.ts';

const COMPONENTS = z.array(
  z.strictObject({
    imageType: z.string(),
    name: z.string(),
    securityVersion: z.number().nullable(),
    digest: z.string(),
    signerId: z.string(),
    releases: z.array(z.string()),
    status: z.enum(['current', 'accepted', 'outdated', 'revoked', 'unknown']),
    // Verdicts of the first policy had no such end.
    acceptedUntil: z.number().nullable().default(null),
  }),
);
const RESULT = z.strictObject({
  claims: z
    .array(z.strictObject({ claim: z.enum(CLAIMS), tier: z.enum(TIERS), reasons: z.array(z.string()) }))
    .default([]),
  /** What the measurements were compared with. */
  reference: z
    .strictObject({ feed: z.string(), release: z.string().nullable() })
    .default({ feed: '', release: null }),
});
const VERDICTS = z.enum(['trusted', 'outdated', 'revoked', 'unknown']) satisfies z.ZodType<Verdict>;

/** The last verdict over a device, with everything that it stands on. Digests in hex, times in ms since 1970. */
export interface AttestationRecord {
  readonly deviceId: string;
  readonly time: number;
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
  readonly format: string;
  readonly evidenceDigest: string;
  readonly lifecycle: string;
  readonly components: z.infer<typeof COMPONENTS>;
  readonly release: string | null;
  readonly requiredRelease: string | null;
  readonly policyVersion: number;
  readonly tenantId: string | null;
  readonly clientSerial: string | null;
  readonly updateSerial: string;
  readonly nextCheck: number;
  readonly result: AttestationResult;
}

/** Each claim as it was judged, and by which references. */
export type AttestationResult = z.infer<typeof RESULT>;

/** When a device that had proved who it is was refused, and why. */
export interface AttestationRefusal {
  readonly time: number;
  readonly code: string;
  readonly message: string;
}

/** The last verdict over a device; null before its first. */
export async function lastAttestation(
  context: Pick<ServiceContext, 'store'>,
  deviceId: string,
): Promise<AttestationRecord | null> {
  const row = await selectAttestation(context.store.read, deviceId);
  if (row === undefined) return null;
  return {
    ...row,
    verdict: VERDICTS.parse(row.verdict),
    reasons: z.array(z.string()).parse(JSON.parse(row.reasons)),
    components: COMPONENTS.parse(JSON.parse(row.components)),
    result: RESULT.parse(JSON.parse(row.result)),
  };
}

/** The last verdict as far as this tenant may read it: not what was found while the device was another one's. */
export async function attestationFor(
  context: Pick<ServiceContext, 'store'>,
  tenantId: string,
  deviceId: string,
): Promise<AttestationRecord | null> {
  const record = await lastAttestation(context, deviceId);
  return record === null || (record.tenantId !== null && record.tenantId !== tenantId) ? null : record;
}

/** The last refusal of a device, unless it was admitted since; null where there is none. */
export async function lastRefusal(
  context: Pick<ServiceContext, 'store'>,
  deviceId: string,
): Promise<AttestationRefusal | null> {
  const row = await selectRefusal(context.store.read, deviceId);
  const admitted = await selectAttestation(context.store.read, deviceId);
  if (row === undefined || (admitted !== undefined && admitted.time > row.time)) return null;
  return { time: row.time, code: row.code, message: row.message };
}

/** The claims and references as the row keeps them. */
export function writeResult(result: {
  readonly claims: readonly JudgedClaim[];
  readonly reference: AttestationResult['reference'];
}): string {
  return JSON.stringify(result);
}

/** The components as the row keeps them. */
export function writeComponents(components: readonly AppraisedComponent[]): string {
  return JSON.stringify(
    components.map((component) => ({
      ...component,
      digest: toHex(component.digest),
      signerId: toHex(component.signerId),
    })),
  );
}

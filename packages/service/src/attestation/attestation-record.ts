import { toHex } from '@sevenfold/formats';
import { z } from 'zod';

import type { ServiceContext } from '../service-context.ts';
import type { AppraisedComponent } from './appraise.ts';
import type { Verdict } from './policy.ts';
import { selectAttestation } from './queries.ts';

const COMPONENTS = z.array(
  z.strictObject({
    imageType: z.string(),
    name: z.string(),
    securityVersion: z.number().nullable(),
    digest: z.string(),
    signerId: z.string(),
    releases: z.array(z.string()),
    status: z.enum(['current', 'accepted', 'outdated', 'revoked', 'unknown']),
  }),
);
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
  };
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

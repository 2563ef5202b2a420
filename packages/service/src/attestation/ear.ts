import type { AttestationResultDocument } from '@sevenfold/api';

import { toTime } from '../http/handlers.ts';
import type { AttestationRecord } from './attestation-record.ts';
import { worstOf, type Claim, type Tier } from './policy.ts';

/** Values of the trust vector (draft-ietf-rats-ar4si §2.3): the representative one of each tier. */
const TRUST: Readonly<Record<Tier, 2 | 32 | 96>> = { affirming: 2, warning: 32, contraindicated: 96 };

/** A verdict in the shape of EAR (draft-ietf-rats-ear), with what people want to know beside it. */
export function toEar(record: AttestationRecord): AttestationResultDocument {
  const { claims, reference } = record.result;
  const tierOf = (name: Claim): Tier => claims.find(({ claim }) => claim === name)?.tier ?? 'contraindicated';
  return {
    eat_profile: 'tag:github.com,2023:veraison/ear',
    iat: Math.floor(record.time / 1000),
    'ear.verifier-id': { developer: 'sevenfold', build: `policy ${record.policyVersion}` },
    submods: {
      device: {
        'ear.status': worstOf(claims.map(({ tier }) => tier)),
        'ear.trustworthiness-vector': {
          'instance-identity': TRUST[tierOf('instance-identity')],
          configuration: TRUST[tierOf('configuration')],
          executables: TRUST[tierOf('executables')],
        },
        'ear.appraisal-policy-id': `tag:sevenfold,2026:policy:${record.policyVersion}`,
      },
    },
    deviceId: record.deviceId,
    tenantId: record.tenantId,
    verdict: record.verdict,
    reasons: [...record.reasons],
    claims: claims.map(({ claim, tier, reasons }) => ({ claim, status: tier, reasons: [...reasons] })),
    evidence: { format: record.format, digest: record.evidenceDigest, lifecycle: record.lifecycle },
    measurements: record.components.map((component) => ({
      imageType: component.imageType,
      name: component.name,
      digest: component.digest,
      securityVersion: component.securityVersion,
      status: component.status,
      acceptedUntil: component.acceptedUntil === null ? null : toTime(component.acceptedUntil),
      releases: component.releases,
    })),
    reference: { ...reference, policyVersion: record.policyVersion },
    release: record.release,
    requiredRelease: record.requiredRelease,
    certificates: { client: record.clientSerial, update: record.updateSerial },
    nextCheck: toTime(record.nextCheck),
  };
}

import type { OsFeed } from '@sevenfold/api';

/** What the service makes of a genuine device's software. */
export type Verdict = 'trusted' | 'outdated' | 'revoked' | 'unknown';

/** What a verdict is made of, by the names of the trust vector of EAR (draft-ietf-rats-ar4si). */
export const CLAIMS = ['instance-identity', 'configuration', 'executables'] as const;
export type Claim = (typeof CLAIMS)[number];

/** How far a claim is to be trusted, from worst to best. */
export const TIERS = ['contraindicated', 'warning', 'affirming'] as const;
export type Tier = (typeof TIERS)[number];

/** One thing that was found out about a device's evidence. `subject` and `detail` are for people. */
export interface Finding {
  readonly kind: FindingKind;
  /** What it is about: `NormalWorldKernel kernel 26.11.0`, `lifecycle`. */
  readonly subject: string;
  /** What else belongs to it: a release, a version. */
  readonly detail: string;
}

interface PolicyRow {
  readonly finding: string;
  readonly verdict: Verdict;
  readonly claim: Claim;
  readonly tier: Tier;
  readonly reason: (finding: Omit<Finding, 'kind'>) => string;
}

/** Stored with every verdict; grows with each change of the tables. */
export const POLICY_VERSION = 4;

const DAY = 86_400_000;
/** For how long (ms) what was published to a feed stays acceptable once the next release is there. */
export const ACCEPTABLE_FOR: Readonly<Record<OsFeed, number>> = { Retail: 30 * DAY, RetailEval: 14 * DAY };

/**
 * The policy: which finding means what, for the verdict and for the claim that it is about. The row that stands highest
 * wins; a device of which nothing is found is trusted.
 */
export const POLICY = [
  {
    finding: 'ChipDecommissioned',
    verdict: 'unknown',
    claim: 'configuration',
    tier: 'contraindicated',
    reason: () => 'The chip says that it has been taken out of service.',
  },
  {
    finding: 'ChipOpenForDebugging',
    verdict: 'unknown',
    claim: 'configuration',
    tier: 'contraindicated',
    reason: ({ detail }) => `The chip is open for debugging: ${detail}.`,
  },
  {
    finding: 'ChipInManufacturing',
    verdict: 'unknown',
    claim: 'configuration',
    tier: 'contraindicated',
    reason: ({ detail }) => `The chip has not left its manufacturing: ${detail}.`,
  },
  {
    finding: 'ChipStateUnknown',
    verdict: 'unknown',
    claim: 'configuration',
    tier: 'contraindicated',
    reason: ({ detail }) => `The chip does not say that it is secured: ${detail}.`,
  },
  {
    finding: 'UnlockedForUnknown',
    verdict: 'unknown',
    claim: 'configuration',
    tier: 'contraindicated',
    reason: ({ detail }) => `The device is unlocked for something that is not known here: ${detail}.`,
  },
  {
    finding: 'MeasurementMissing',
    verdict: 'unknown',
    claim: 'executables',
    tier: 'contraindicated',
    reason: ({ subject }) => `${subject} was not measured.`,
  },
  {
    finding: 'MeasuredTwice',
    verdict: 'unknown',
    claim: 'executables',
    tier: 'contraindicated',
    reason: ({ subject }) => `${subject} was measured as two different images.`,
  },
  {
    finding: 'ImageUnknown',
    verdict: 'unknown',
    claim: 'executables',
    tier: 'contraindicated',
    reason: ({ subject }) => `${subject} is no image that was ever published.`,
  },
  {
    finding: 'WrongImageType',
    verdict: 'unknown',
    claim: 'executables',
    tier: 'contraindicated',
    reason: ({ subject, detail }) => `${subject} was published as ${detail}.`,
  },
  {
    finding: 'ImageContradicted',
    verdict: 'unknown',
    claim: 'executables',
    tier: 'contraindicated',
    reason: ({ subject, detail }) => `${subject} is not what the device says that it is: ${detail}.`,
  },
  {
    finding: 'ReleaseRevoked',
    verdict: 'revoked',
    claim: 'executables',
    tier: 'contraindicated',
    reason: ({ subject, detail }) => `${subject} belongs to a revoked release: ${detail}.`,
  },
  {
    finding: 'SecurityVersionTooLow',
    verdict: 'outdated',
    claim: 'executables',
    tier: 'warning',
    reason: ({ subject, detail }) => `${subject} is older than what is accepted now: ${detail}.`,
  },
  {
    finding: 'AcceptedNoLonger',
    verdict: 'outdated',
    claim: 'executables',
    tier: 'warning',
    reason: ({ subject, detail }) => `${subject} was acceptable until ${detail} and must be updated first.`,
  },
  {
    finding: 'UnlockedForDevelopment',
    verdict: 'trusted',
    claim: 'configuration',
    tier: 'warning',
    reason: () => 'The device is unlocked for development: apps that its developer signed may run on it.',
  },
  {
    finding: 'UnlockedForServicing',
    verdict: 'trusted',
    claim: 'configuration',
    tier: 'warning',
    reason: () => 'The device is unlocked for servicing: whoever is at it may load signed images.',
  },
  {
    finding: 'AcceptedUntil',
    verdict: 'trusted',
    claim: 'executables',
    tier: 'warning',
    reason: ({ subject, detail }) =>
      `Outdated but acceptable until ${detail}; ${subject} is ready to be installed.`,
  },
  {
    finding: 'NewerRelease',
    verdict: 'trusted',
    claim: 'executables',
    tier: 'affirming',
    reason: ({ detail }) => `Genuine and accepted; release ${detail} is ready to be installed.`,
  },
  {
    finding: 'NoRelease',
    verdict: 'trusted',
    claim: 'executables',
    tier: 'affirming',
    reason: ({ detail }) => `Genuine and accepted; no release is published for ${detail} now.`,
  },
  {
    finding: 'Current',
    verdict: 'trusted',
    claim: 'executables',
    tier: 'affirming',
    reason: ({ detail }) => `Every stage is as published in release ${detail}.`,
  },
] as const satisfies readonly PolicyRow[];
export type FindingKind = (typeof POLICY)[number]['finding'];

/** One claim as it was judged, and why. */
export interface JudgedClaim {
  readonly claim: Claim;
  readonly tier: Tier;
  readonly reasons: readonly string[];
}

/** What a claim says of which nothing is found: without it evidence would not have come as far as this. */
const UNDISPUTED: Readonly<Record<Claim, string>> = {
  'instance-identity': 'The endorsed key of this very chip signed the evidence, and for this very request.',
  configuration: 'The chip is secured and closed for debugging.',
  executables: 'Nothing speaks against what was measured.',
};

/** The verdict of the highest row, the reasons of all findings, the weightiest first, and each claim by itself. */
export function judge(findings: readonly Finding[]): {
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
  readonly claims: readonly JudgedClaim[];
} {
  const found = POLICY.flatMap((row) =>
    findings
      .filter((finding) => finding.kind === row.finding)
      .map((finding) => ({ ...row, reason: row.reason(finding) })),
  );
  return {
    verdict: found[0]?.verdict ?? 'trusted',
    reasons: found.map((one) => one.reason),
    claims: CLAIMS.map((claim) => {
      const own = found.filter((one) => one.claim === claim);
      return {
        claim,
        tier: worstOf(own.map((one) => one.tier)),
        reasons: own.length === 0 ? [UNDISPUTED[claim]] : own.map((one) => one.reason),
      };
    }),
  };
}

/** The worst of these; `affirming` of none. */
export function worstOf(tiers: readonly Tier[]): Tier {
  return TIERS.find((tier) => tiers.includes(tier)) ?? 'affirming';
}

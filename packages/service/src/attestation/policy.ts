/** What the service makes of a genuine device's software. */
export type Verdict = 'trusted' | 'outdated' | 'revoked' | 'unknown';

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
  readonly reason: (finding: Omit<Finding, 'kind'>) => string;
}

/** Stored with every verdict; grows with each change of the table. */
export const POLICY_VERSION = 1;

/**
 * The policy: which finding means what. The row that stands highest wins; a device of which nothing is found is trusted.
 */
export const POLICY = [
  {
    finding: 'LifecycleNotSecured',
    verdict: 'unknown',
    reason: ({ detail }) => `The chip is not in its secured state: ${detail}.`,
  },
  {
    finding: 'MeasurementMissing',
    verdict: 'unknown',
    reason: ({ subject }) => `${subject} was not measured.`,
  },
  {
    finding: 'MeasuredTwice',
    verdict: 'unknown',
    reason: ({ subject }) => `${subject} was measured as two different images.`,
  },
  {
    finding: 'ImageUnknown',
    verdict: 'unknown',
    reason: ({ subject }) => `${subject} is no image that was ever published.`,
  },
  {
    finding: 'WrongImageType',
    verdict: 'unknown',
    reason: ({ subject, detail }) => `${subject} was published as ${detail}.`,
  },
  {
    finding: 'ReleaseRevoked',
    verdict: 'revoked',
    reason: ({ subject, detail }) => `${subject} belongs to a revoked release: ${detail}.`,
  },
  {
    finding: 'SecurityVersionTooLow',
    verdict: 'outdated',
    reason: ({ subject, detail }) => `${subject} is older than what is accepted now: ${detail}.`,
  },
  {
    finding: 'NewerRelease',
    verdict: 'trusted',
    reason: ({ detail }) => `Genuine and accepted; release ${detail} is ready to be installed.`,
  },
  {
    finding: 'NoRelease',
    verdict: 'trusted',
    reason: ({ detail }) => `Genuine and accepted; no release is published for ${detail} now.`,
  },
  {
    finding: 'Current',
    verdict: 'trusted',
    reason: ({ detail }) => `Every stage is as published in release ${detail}.`,
  },
] as const satisfies readonly PolicyRow[];
export type FindingKind = (typeof POLICY)[number]['finding'];

/** The verdict of the highest row, and the reasons of all findings, the weightiest first. */
export function judge(findings: readonly Finding[]): {
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
} {
  const found = POLICY.flatMap((row) =>
    findings
      .filter((finding) => finding.kind === row.finding)
      .map((finding) => ({ verdict: row.verdict, reason: row.reason(finding) })),
  );
  return { verdict: found[0]?.verdict ?? 'trusted', reasons: found.map((one) => one.reason) };
}

import { describe, expect, it } from 'vitest';

import { judge, POLICY, type Finding, type FindingKind, type Verdict } from './policy.ts';

const found = (kind: FindingKind): Finding => ({ kind, subject: 'Kernel', detail: 'detail' });

describe('the policy', () => {
  it.each<[FindingKind, Verdict]>([
    ['LifecycleNotSecured', 'unknown'],
    ['MeasurementMissing', 'unknown'],
    ['MeasuredTwice', 'unknown'],
    ['ImageUnknown', 'unknown'],
    ['WrongImageType', 'unknown'],
    ['ReleaseRevoked', 'revoked'],
    ['SecurityVersionTooLow', 'outdated'],
    ['NewerRelease', 'trusted'],
    ['NoRelease', 'trusted'],
    ['Current', 'trusted'],
  ])('makes of %s alone: %s', (kind, verdict) => {
    const judged = judge([found(kind)]);
    expect(judged.verdict).toBe(verdict);
    expect(judged.reasons).toEqual([expect.stringMatching(/^[A-Z].*\.$/u)]);
  });

  it('lets no good finding outweigh a bad one, in whatever order they are found', () => {
    for (const [index, bad] of POLICY.entries()) {
      for (const better of POLICY.slice(index + 1)) {
        const findings = [found(better.finding), found(bad.finding)];
        expect(judge(findings).verdict).toBe(bad.verdict);
        expect(judge(findings.toReversed()).verdict).toBe(bad.verdict);
      }
    }
  });

  it('never calls trusted what has any finding of the upper rows', () => {
    const bad = POLICY.filter((row) => row.verdict !== 'trusted');
    const good = POLICY.filter((row) => row.verdict === 'trusted').map((row) => found(row.finding));
    for (const row of bad) expect(judge([...good, found(row.finding)]).verdict).not.toBe('trusted');
  });
});

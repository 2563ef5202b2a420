import { describe, expect, it } from 'vitest';

import { judge, POLICY, type Finding, type FindingKind, type Verdict } from './policy.ts';

const found = (kind: FindingKind): Finding => ({ kind, subject: 'Kernel', detail: 'detail' });

describe('the policy', () => {
  it.each<[FindingKind, Verdict]>([
    ['ChipDecommissioned', 'unknown'],
    ['ChipOpenForDebugging', 'unknown'],
    ['ChipInManufacturing', 'unknown'],
    ['ChipStateUnknown', 'unknown'],
    ['UnlockedForUnknown', 'unknown'],
    ['MeasurementMissing', 'unknown'],
    ['MeasuredTwice', 'unknown'],
    ['ImageUnknown', 'unknown'],
    ['WrongImageType', 'unknown'],
    ['ImageContradicted', 'unknown'],
    ['ReleaseRevoked', 'revoked'],
    ['SecurityVersionTooLow', 'outdated'],
    ['AcceptedNoLonger', 'outdated'],
    ['UnlockedForDevelopment', 'trusted'],
    ['UnlockedForServicing', 'trusted'],
    ['AcceptedUntil', 'trusted'],
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

  it('judges each claim by its own findings, and says why', () => {
    const { claims } = judge([found('ImageUnknown'), found('AcceptedUntil')]);
    expect(claims.map(({ claim, tier }) => `${claim}: ${tier}`)).toEqual([
      'instance-identity: affirming',
      'configuration: affirming',
      'executables: contraindicated',
    ]);
    for (const { reasons } of claims) expect(reasons.join(' ')).toMatch(/^[A-Z].*\.$/u);
    const whole = judge([found('ChipOpenForDebugging')]).claims;
    expect(whole.find(({ claim }) => claim === 'configuration')?.tier).toBe('contraindicated');
    expect(judge([]).claims.every(({ tier }) => tier === 'affirming')).toBe(true);
  });

  it('never affirms a claim that costs the device its trust', () => {
    const tiers: readonly string[] = POLICY.filter((row) => row.verdict !== 'trusted').map(
      ({ tier }) => tier,
    );
    expect(tiers).not.toContain('affirming');
  });
});

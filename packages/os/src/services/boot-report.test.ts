import { IMAGE_TYPES, SYSTEM_COMPONENT_IDS } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { bootReport, bootReportIdentity, osVersionOf } from './boot-report.ts';
import type { BootInfo } from './kernel.ts';

const healthy: BootInfo = {
  trial: false,
  stages: [],
  failures: [],
  fellBack: null,
  left: [],
  capabilities: [],
};
const left = '11111111-1111-4111-8111-111111111111';
const failed: BootInfo = {
  ...healthy,
  failures: [
    { imageType: IMAGE_TYPES.Services, slot: 'B', code: 'BadSignature', message: 'The signature is wrong.' },
  ],
  fellBack: [left],
};
const known = { reportId: new Uint8Array(16), osVersion: '26.11.0', time: 1_800_000_000_500, uptime: 12.5 };

describe('the report of a boot', () => {
  it('is not made when all went well', () => {
    expect(bootReport(healthy, known)).toBeNull();
  });

  it('says which image was refused and why, and which was left', () => {
    expect(bootReport(failed, known)).toMatchObject({
      kind: 'OsFallback',
      componentId: SYSTEM_COMPONENT_IDS.Services,
      imageId: left,
      osVersion: '26.11.0',
      time: 1_800_000_000,
      uptime: 12,
      trap: 'BadSignature',
      log: ['Services slot B: BadSignature: The signature is wrong.', `left image ${left}`],
    });
  });

  it('has one identity a failure and device, so that it is delivered once', () => {
    expect(bootReportIdentity('a', failed)).toEqual(bootReportIdentity('a', failed));
    expect(bootReportIdentity('a', failed)).not.toEqual(bootReportIdentity('b', failed));
    expect(bootReportIdentity('a', { ...failed, fellBack: null })).not.toEqual(
      bootReportIdentity('a', failed),
    );
  });
});

describe('the version of the OS', () => {
  it('is the highest of its stages', () => {
    const stages = ['pluton 26.9.0', 'kernel 26.11.1', 'services 26.11', 'keystore v3', 'certstore 12345678'];
    expect(osVersionOf(stages.map((name) => ({ name })))).toBe('26.11.1');
    expect(osVersionOf([])).toBe('');
  });
});

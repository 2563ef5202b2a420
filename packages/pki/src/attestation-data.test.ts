import { der } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';

import { decodeAttestationData, encodeAttestationData } from './attestation-data.ts';

const digest = new Uint8Array(32).fill(1);
const fields = [der.integer(1), der.utf8String('trusted'), der.octetString(digest)] as const;

describe('attestation data', () => {
  it('are read as they were written, with and without a release', () => {
    for (const release of ['26.11.0', null]) {
      const data = { verdict: 'outdated', release, evidenceDigest: digest } as const;
      expect(decodeAttestationData(encodeAttestationData(data))).toEqual(data);
    }
  });

  it.each([
    ['another version', der.sequence(der.integer(2), fields[1], fields[2]), 'attestation.version'],
    [
      'a verdict of no meaning',
      der.sequence(fields[0], der.utf8String('fine'), fields[2]),
      'attestation.verdict',
    ],
    [
      'an empty release',
      der.sequence(fields[0], fields[1], der.explicit(0, der.utf8String('')), fields[2]),
      'attestation.release',
    ],
    [
      'a short digest',
      der.sequence(fields[0], fields[1], der.octetString(digest.subarray(1))),
      'attestation.evidenceDigest',
    ],
  ])('are refused with %s', (_what, bytes, field) => {
    expect(() => decodeAttestationData(bytes)).toThrow(
      expect.objectContaining({ code: 'BadExtension', field }),
    );
  });

  it('are refused with more behind them', () => {
    expect(() => decodeAttestationData(der.sequence(...fields, der.null()))).toThrow(
      expect.objectContaining({ code: 'DerTrailingBytes' }),
    );
  });
});

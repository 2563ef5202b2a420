import { describe, expect, it } from 'vitest';

import { fromPem, toPem } from './pem.ts';

describe('PEM', () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, index) => index);

  it('gives back what was written, one block or many', () => {
    expect(fromPem('CERTIFICATE', toPem('CERTIFICATE', bytes))).toEqual([bytes]);
    expect(fromPem('PUBLIC KEY', toPem('PUBLIC KEY', bytes, bytes.subarray(1)))).toEqual([
      bytes,
      bytes.slice(1),
    ]);
  });

  it.each([
    ['nothing', ''],
    ['text before the block', `hello\n${toPem('CERTIFICATE', bytes)}`],
    ['another label', toPem('PUBLIC KEY', bytes)],
    ['no end', toPem('CERTIFICATE', bytes).split('\n').slice(0, -2).join('\n')],
    ['another alphabet', toPem('CERTIFICATE', bytes).replace('A', '_')],
    [
      'base64 that means the same in another spelling',
      '-----BEGIN CERTIFICATE-----\nAB==\n-----END CERTIFICATE-----\n',
    ],
  ])('refuses %s', (_what, text) => {
    expect(() => fromPem('CERTIFICATE', text)).toThrow(expect.objectContaining({ code: 'BadPem' }));
  });
});

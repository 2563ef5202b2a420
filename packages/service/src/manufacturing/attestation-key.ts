import { createPublicKey } from 'node:crypto';

import { equalBytes, fromHex } from '@sevenfold/formats';
import { PkiError } from '@sevenfold/pki';

/** The one DER form of each kind of attestation key (RFC 5480, RFC 8410) up to its point: one key, one device id. */
const FORMS = [
  { name: 'ECDSA P-256', prefix: '3059301306072a8648ce3d020106082a8648ce3d03010703420004', point: 64 },
  { name: 'ECDSA P-384', prefix: '3076301006072a8648ce3d020106052b8104002203620004', point: 96 },
  { name: 'Ed25519', prefix: '302a300506032b6570032100', point: 32 },
] as const;

/** Checks that `untrusted` is an attestation key that can be endorsed, its point on the curve. Throws `BadKey`. */
export function checkAttestationKey(untrusted: Uint8Array, field: string): Uint8Array {
  const isOfForm = FORMS.some(({ prefix, point }) => {
    const head = fromHex(prefix);
    return untrusted.length === head.length + point && equalBytes(untrusted.subarray(0, head.length), head);
  });
  if (!isOfForm || !isOnCurve(untrusted)) {
    throw new PkiError('BadKey', `not the SPKI of a key of ${FORMS.map(({ name }) => name).join(', ')}`, {
      field,
      rule: 'RFC 5480 or RFC 8410, uncompressed, a point on the curve',
    });
  }
  return untrusted.slice();
}

function isOnCurve(spki: Uint8Array): boolean {
  try {
    createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return true;
  } catch {
    // OpenSSL says so by throwing; the caller has the words.
    return false;
  }
}

import { concatBytes } from './bytes.ts';
import { der } from './der.ts';
import { DerReader } from './der-reader.ts';
import { FormatError } from './errors.ts';

/** Length of r and of s on P-256, in bytes. */
const FIELD_LENGTH = 32;

/**
 * A P-256 signature from r‖s (64 bytes) to the DER of X.509 and TLS: SEQUENCE { r INTEGER, s INTEGER }
 * (RFC 3279 §2.2.3). Throws `BadSignatureValue`.
 */
export function signatureToDer(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  if (signature.length !== 2 * FIELD_LENGTH) {
    throw new FormatError(
      'BadSignatureValue',
      `A P-256 signature has 64 bytes, this one has ${signature.length}.`,
      {
        rule: '64 bytes',
      },
    );
  }
  return der.sequence(
    der.integer(signature.subarray(0, FIELD_LENGTH)),
    der.integer(signature.subarray(FIELD_LENGTH)),
  );
}

/**
 * A P-256 signature from DER to r‖s (64 bytes). Strict: one encoding for each signature.
 * Whether r and s are in the group's range is for the verifier to say.
 */
export function signatureFromDer(untrusted: Uint8Array): Uint8Array<ArrayBuffer> {
  const [r, s] = DerReader.read(
    untrusted,
    (reader) => reader.sequence((inner) => [inner.unsignedInteger(), inner.unsignedInteger()] as const),
    { maxBytes: 72, maxDepth: 1 },
  );
  return concatBytes(leftPad(r), leftPad(s));
}

function leftPad(magnitude: Uint8Array): Uint8Array {
  if (magnitude.length > FIELD_LENGTH) {
    throw new FormatError('BadSignatureValue', 'A number of the signature is too long for P-256.', {
      rule: '32 bytes',
    });
  }
  const padded = new Uint8Array(FIELD_LENGTH);
  padded.set(magnitude, FIELD_LENGTH - magnitude.length);
  return padded;
}

import { concatBytes } from './bytes.ts';
import { der } from './der.ts';
import { DerReader } from './der-reader.ts';
import { FormatError } from './errors.ts';

/** Length of r and of s, in bytes: 32 on P-256, 48 on P-384. */
export type EcdsaFieldLength = 32 | 48;

/**
 * A signature from r‖s (64 bytes on P-256) to the DER of X.509 and TLS: SEQUENCE { r INTEGER, s INTEGER }
 * (RFC 3279 §2.2.3). Throws `BadSignatureValue`.
 */
export function signatureToDer(
  signature: Uint8Array,
  fieldLength: EcdsaFieldLength = 32,
): Uint8Array<ArrayBuffer> {
  if (signature.length !== 2 * fieldLength) {
    throw new FormatError(
      'BadSignatureValue',
      `A signature of this curve has ${2 * fieldLength} bytes, this one has ${signature.length}.`,
      {
        rule: `${2 * fieldLength} bytes`,
      },
    );
  }
  return der.sequence(
    der.integer(signature.subarray(0, fieldLength)),
    der.integer(signature.subarray(fieldLength)),
  );
}

/**
 * A signature from DER to r‖s (64 bytes on P-256). Strict: one encoding for each signature.
 * Whether r and s are in the group's range is for the verifier to say.
 */
export function signatureFromDer(
  untrusted: Uint8Array,
  fieldLength: EcdsaFieldLength = 32,
): Uint8Array<ArrayBuffer> {
  const [r, s] = DerReader.read(
    untrusted,
    (reader) => reader.sequence((inner) => [inner.unsignedInteger(), inner.unsignedInteger()] as const),
    { maxBytes: 2 * fieldLength + 8, maxDepth: 1 },
  );
  return concatBytes(leftPad(r, fieldLength), leftPad(s, fieldLength));
}

function leftPad(magnitude: Uint8Array, fieldLength: number): Uint8Array {
  if (magnitude.length > fieldLength) {
    throw new FormatError('BadSignatureValue', 'A number of the signature is too long for its curve.', {
      rule: `${fieldLength} bytes`,
    });
  }
  const padded = new Uint8Array(fieldLength);
  padded.set(magnitude, fieldLength - magnitude.length);
  return padded;
}

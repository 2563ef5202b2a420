import { der, DerReader, signatureFromDer, signatureToDer } from '@sevenfold/formats';

import { curveOfAlgorithm, readAlgorithm, readSpki, signatureAlgorithmOf } from './certificate.ts';
import { PkiError } from './errors.ts';
import { CURVES, curveOfSpki, type KeyCurve } from './keys.ts';
import { encodeName, readName, type DistinguishedName, type NameParts } from './name.ts';
import { checkSpki, verifySignature } from './public-key.ts';

/** A PKCS#10 request whose signature was verified: whoever sent it has the key. What it asks for is another matter. */
export interface SigningRequest {
  readonly der: Uint8Array;
  readonly subject: DistinguishedName;
  /** An ECDSA key on one of this project's curves. */
  readonly spki: Uint8Array;
}

const MAX_REQUEST_LENGTH = 8 * 1024;
const MAX_ATTRIBUTES = 16;
const VERSION_1 = 0;

/** Writes a request (RFC 2986) without attributes: what a certificate says is for its profile to decide. */
export async function encodeSigningRequest(
  subject: NameParts,
  spki: Uint8Array,
  sign: (message: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const curve = curveOfSpki(spki);
  if (curve === null) throw badRequest('the key cannot sign a request', 'publicKey', 'P-256 or P-384');
  const info = der.sequence(der.integer(VERSION_1), encodeName(subject), spki, der.implicitConstructed(0));
  const signature = await sign(info);
  return der.sequence(
    info,
    signatureAlgorithmOf(curve),
    der.bitString(signatureToDer(signature, CURVES[curve].fieldLength)),
  );
}

/**
 * Reads a request strictly and verifies its signature. Attributes are passed over: nothing that is issued here is
 * decided by who asks. Refuses with `BadSigningRequest`, `BadKey`, `BadSignature` or a `FormatError`.
 */
export function parseSigningRequest(
  untrusted: Uint8Array,
  curves: readonly KeyCurve[] = ['P-256', 'P-384'],
): SigningRequest {
  if (untrusted.length > MAX_REQUEST_LENGTH)
    throw badRequest('the request is too large', 'request', `at most ${MAX_REQUEST_LENGTH} bytes`);
  const whole = new Uint8Array(untrusted);
  return DerReader.read(whole, (reader) =>
    reader.sequence((parts) => {
      const info = parts.raw();
      const curve = curveOfAlgorithm(readAlgorithm(parts));
      const signature = parts.bitString();
      const { subject, spki } = DerReader.read(info, readInfo);
      checkSpki(spki, 'publicKey', curves);
      const isProof =
        curve !== null &&
        curve === curveOfSpki(spki) &&
        verifySignature(
          spki,
          info,
          signatureFromDer(signature, CURVES[curve].fieldLength),
          CURVES[curve].algorithm,
        );
      if (!isProof)
        throw new PkiError('BadSignature', 'the request is not signed by the key that it is for', {
          field: 'signature',
          rule: 'RFC 2986 §3',
        });
      return { der: whole, subject, spki };
    }),
  );
}

/** RFC 2986 §4.1. */
function readInfo(reader: DerReader): Pick<SigningRequest, 'subject' | 'spki'> {
  return reader.sequence((fields) => {
    if (fields.smallInteger() !== VERSION_1)
      throw badRequest('the version is not known', 'version', 'RFC 2986 §4.1: v1');
    const subject = readName(fields, 'subject');
    const spki = readSpki(fields);
    fields.explicit(0, (attributes) => {
      for (let count = 1; !attributes.done; count += 1) {
        if (count > MAX_ATTRIBUTES)
          throw badRequest('there are too many attributes', 'attributes', `at most ${MAX_ATTRIBUTES}`);
        attributes.sequence((attribute) => {
          attribute.oid();
          attribute.set((values) => {
            while (!values.done) values.any();
          });
        });
      }
    });
    return { subject, spki };
  });
}

function badRequest(message: string, field: string, rule: string): PkiError {
  return new PkiError('BadSigningRequest', message, { field, rule });
}

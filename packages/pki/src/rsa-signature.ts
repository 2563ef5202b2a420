import { constants, createPublicKey, verify } from 'node:crypto';

import { der, DerReader, equalBytes } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { OID } from './oids.ts';

/** A signature algorithm of foreign certificates: how it verifies, and each form that its identifier may have. */
interface RsaScheme {
  /** Dotted OID; with the hash, where the identifier names that in its parameters. */
  readonly name: string;
  readonly hash: 'sha256' | 'sha384';
  readonly padding: { readonly padding: number; readonly saltLength?: number };
  /** DER of the whole AlgorithmIdentifier. */
  readonly identifiers: readonly Uint8Array[];
}

const HASHES = {
  sha256: { oid: '2.16.840.1.101.3.4.2.1', length: 32 },
  sha384: { oid: '2.16.840.1.101.3.4.2.2', length: 48 },
} as const;

/** PKCS#1 v1.5 and PSS (RFC 4055), each with SHA-256 and SHA-384. SHA-1 and everything older is not among them. */
const SCHEMES: readonly RsaScheme[] = [
  pkcs1('sha256', OID.rsaWithSha256),
  pkcs1('sha384', OID.rsaWithSha384),
  pss('sha256'),
  pss('sha384'),
];

function pkcs1(hash: RsaScheme['hash'], oid: string): RsaScheme {
  const identifiers = [der.sequence(der.oid(oid), der.null())];
  return { name: oid, hash, padding: { padding: constants.RSA_PKCS1_PADDING }, identifiers };
}

/** One hash for message and mask, a salt of its length. NULL may stand beside the hash or not (RFC 4055 §2.1). */
function pss(hash: RsaScheme['hash']): RsaScheme {
  const { oid, length } = HASHES[hash];
  const identifiers = [[], [der.null()]].map((none) => {
    const digest = der.sequence(der.oid(oid), ...none);
    const mask = der.sequence(der.oid(OID.mgf1), digest);
    const parameters = [der.explicit(0, digest), der.explicit(1, mask), der.explicit(2, der.integer(length))];
    return der.sequence(der.oid(OID.rsaPss), der.sequence(...parameters));
  });
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: length };
  return { name: `${OID.rsaPss} ${hash}`, hash, padding, identifiers };
}

/** The name of the RSA algorithm with this AlgorithmIdentifier (DER); null for every other one. */
export function rsaAlgorithm(identifier: Uint8Array): string | null {
  return (
    SCHEMES.find(({ identifiers }) => identifiers.some((one) => equalBytes(one, identifier)))?.name ?? null
  );
}

/** Whether a signature algorithm is one of those that `verifyRsa` knows. */
export function isRsaAlgorithm(name: string): boolean {
  return SCHEMES.some((scheme) => scheme.name === name);
}

/**
 * Whether `signature` over `message` was made by the RSA key `spki`. Refuses with `BadKey` a key that is not one of
 * 2048 to 4096 bits in its one DER form, with an odd modulus and an odd exponent between 2^16 and 2^32: smaller ones
 * are broken, larger ones make whoever verifies work for whoever sent them.
 */
export function verifyRsa(
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  algorithm: string,
): boolean {
  const modulusLength = checkRsaKey(spki);
  const scheme = SCHEMES.find(({ name }) => name === algorithm);
  if (scheme === undefined || signature.length !== modulusLength) return false;
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  return verify(scheme.hash, message, { key, ...scheme.padding }, signature);
}

const MIN_BITS = 2048;
const MAX_BITS = 4096;
const LEAST_EXPONENT = 0x10001;
const MAX_EXPONENT_OCTETS = 4;

/** The length of the modulus in bytes. */
function checkRsaKey(spki: Uint8Array): number {
  const { modulus, exponent } = readRsaKey(spki);
  const bits = modulus.length * 8 - Math.clz32((modulus[0] ?? 0) << 24);
  if (bits < MIN_BITS || bits > MAX_BITS) throw badKey(`its modulus has ${bits} bits`);
  if (((modulus.at(-1) ?? 0) & 1) === 0) throw badKey('its modulus is even');
  const value = exponent.reduce((sum, octet) => sum * 256 + octet, 0);
  if (exponent.length > MAX_EXPONENT_OCTETS || value < LEAST_EXPONENT || value % 2 === 0)
    throw badKey('its exponent is too small, too large or even');
  return modulus.length;
}

/** RFC 8017 §A.1.1 in an SPKI (RFC 3279 §2.3.1). */
function readRsaKey(spki: Uint8Array): { readonly modulus: Uint8Array; readonly exponent: Uint8Array } {
  const algorithm = der.sequence(der.oid(OID.rsaEncryption), der.null());
  try {
    return DerReader.read(spki, (reader) =>
      reader.sequence((parts) => {
        if (!equalBytes(parts.raw(), algorithm)) throw badKey('it is of another kind');
        return DerReader.read(parts.bitString(), (inner) =>
          inner.sequence((numbers) => ({
            modulus: numbers.unsignedInteger(),
            exponent: numbers.unsignedInteger(),
          })),
        );
      }),
    );
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    throw badKey('it is not in its DER form', cause);
  }
}

function badKey(why: string, cause?: unknown): PkiError {
  return new PkiError('BadKey', `an issuer’s RSA key is refused: ${why}`, {
    field: 'issuer',
    rule: `${MIN_BITS} to ${MAX_BITS} bits, odd, an odd exponent from ${LEAST_EXPONENT} to 2^32`,
    cause,
  });
}

import { createECDH, createPrivateKey, type KeyObject } from 'node:crypto';

import { DerReader, equalBytes } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { CURVES, curveOfKey, spkiOfPoint, type KeyCurve } from './keys.ts';
import { OID } from './oids.ts';

/** A private key that was read from PKCS#8. */
export interface PrivateKey {
  readonly curve: KeyCurve;
  readonly key: KeyObject;
  readonly spki: Uint8Array;
}

const MAX_PKCS8_LENGTH = 512;
const PKCS8_VERSION = 0;
const EC_VERSION = 1;

/**
 * Reads an ECDSA key from PKCS#8 (RFC 5958 version 1, RFC 5915) strictly: DER, a named curve of this project, a scalar
 * of the curve's length, and where the public key stands beside it, one that belongs to it. Refuses with `BadKey`;
 * no error holds any of the bytes.
 */
export function parsePkcs8(untrusted: Uint8Array, field = 'pkcs8'): PrivateKey {
  if (untrusted.length > MAX_PKCS8_LENGTH)
    throw badKey('it is too large', field, `at most ${MAX_PKCS8_LENGTH} bytes`);
  let parts: EcKey;
  let point: Uint8Array;
  let key: KeyObject;
  try {
    parts = DerReader.read(new Uint8Array(untrusted), readPrivateKeyInfo);
    // OpenSSL would believe the public key that stands beside the scalar.
    const pair = createECDH(CURVES[parts.curve].namedCurve);
    pair.setPrivateKey(parts.scalar);
    point = new Uint8Array(pair.getPublicKey());
    key = createPrivateKey({ key: Buffer.from(untrusted), format: 'der', type: 'pkcs8' });
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    throw badKey('it is no PKCS#8', field, 'RFC 5958, RFC 5915 in DER', cause);
  }
  if (curveOfKey(key) !== parts.curve || (parts.point !== null && !equalBytes(parts.point, point)))
    throw badKey('its parts do not belong together', field, 'RFC 5915 §3');
  return { curve: parts.curve, key, spki: spkiOfPoint(parts.curve, point) };
}

interface EcKey {
  readonly curve: KeyCurve;
  readonly scalar: Uint8Array;
  /** The public key where it stands beside the scalar. */
  readonly point: Uint8Array | null;
}

function readPrivateKeyInfo(reader: DerReader): EcKey {
  return reader.sequence((info) => {
    if (info.smallInteger() !== PKCS8_VERSION)
      throw badKey('its version is not known', 'version', 'RFC 5958 §2: v1');
    const curve = info.sequence((algorithm) => {
      const isEc = algorithm.oid() === OID.ecPublicKey;
      const named = isEc ? algorithm.oid() : '';
      const found = (['P-256', 'P-384'] as const).find((one) => CURVES[one].oid === named);
      if (found === undefined) throw badKey('it is of another kind', 'algorithm', 'ECDSA on P-256 or P-384');
      return found;
    });
    return DerReader.read(info.octetString(), (inner) =>
      inner.sequence((fields) => readEcPrivateKey(fields, curve)),
    );
  });
}

/** RFC 5915 §3. */
function readEcPrivateKey(fields: DerReader, curve: KeyCurve): EcKey {
  if (fields.smallInteger() !== EC_VERSION)
    throw badKey('its version is not known', 'version', 'RFC 5915 §3: 1');
  const scalar = fields.octetString();
  if (scalar.length !== CURVES[curve].fieldLength)
    throw badKey('its scalar has a wrong length', 'privateKey', `${CURVES[curve].fieldLength} bytes`);
  const again = fields.optionalExplicit(0, (parameters) => parameters.oid());
  if (again !== null && again !== CURVES[curve].oid)
    throw badKey('it names two curves', 'parameters', 'RFC 5915 §3');
  return { curve, scalar, point: fields.optionalExplicit(1, (inner) => inner.bitString()) };
}

function badKey(why: string, field: string, rule: string, cause?: unknown): PkiError {
  return new PkiError('BadKey', `This private key is refused: ${why}.`, { field, rule, cause });
}

import { der, DerReader, toHex } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { readExtensions, type Extensions } from './extensions.ts';
import type { KeyCurve } from './keys.ts';
import { readName, type DistinguishedName } from './name.ts';
import { OID } from './oids.ts';
import { rsaAlgorithm } from './rsa-signature.ts';

/** A certificate as it was read: well-formed after RFC 5280 §4, and nothing more. `verifyChain` says what it is worth. */
export interface Certificate extends Extensions {
  /** The whole certificate, as it came. */
  readonly der: Uint8Array;
  /** What the signature is over. */
  readonly tbs: Uint8Array;
  /** Lower-case hex of the serial number. */
  readonly serial: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** First and last moment of validity, both inclusive; ms since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  /** Dotted OID; of RSASSA-PSS with the name of its hash behind it. */
  readonly signatureAlgorithm: string;
  /** DER of the signature value. */
  readonly signature: Uint8Array;
}

/** Certificates of ours have less than 1 KiB; of others, few have more than 4. */
const MAX_CERTIFICATE_LENGTH = 16 * 1024;
const VERSION_3 = 2;
const MAX_SERIAL_LENGTH = 20;

/**
 * The signature algorithms that are issued and accepted, each for keys of one curve alone and without parameters
 * (RFC 5758 §3.2): a certificate whose algorithm does not fit its issuer's key is refused, as OpenSSL would.
 */
const SIGNATURE_ALGORITHMS = {
  'P-256': OID.ecdsaWithSha256,
  'P-384': OID.ecdsaWithSha384,
} as const satisfies Record<KeyCurve, string>;

/** The AlgorithmIdentifier of signatures by keys on that curve. */
export function signatureAlgorithmOf(curve: KeyCurve): Uint8Array {
  return der.sequence(der.oid(SIGNATURE_ALGORITHMS[curve]));
}

/** The curve of the keys that make signatures of this algorithm; null where it is not accepted here. */
export function curveOfAlgorithm(oid: string): KeyCurve | null {
  if (oid === SIGNATURE_ALGORITHMS['P-256']) return 'P-256';
  return oid === SIGNATURE_ALGORITHMS['P-384'] ? 'P-384' : null;
}

/**
 * Reads an X.509 v3 certificate strictly. Refuses with a `FormatError` what is not DER, with a `PkiError` what breaks
 * RFC 5280; the error names field and rule.
 */
export function parseCertificate(untrusted: Uint8Array): Certificate {
  return readCertificate(untrusted, () => null);
}

/**
 * As `parseCertificate`, for chains of foreign chips and servers: these may also be signed with RSA. Nothing that this service
 * issues, or lets in by a certificate, is read with this.
 */
export function parseForeignCertificate(untrusted: Uint8Array): Certificate {
  return readCertificate(untrusted, rsaAlgorithm);
}

/** The name of an accepted algorithm by its AlgorithmIdentifier, beside those of this project; null for others. */
type OtherAlgorithms = (identifier: Uint8Array) => string | null;

function readCertificate(untrusted: Uint8Array, others: OtherAlgorithms): Certificate {
  if (untrusted.length > MAX_CERTIFICATE_LENGTH) {
    throw new PkiError('CertificateTooLarge', 'the certificate is too large', {
      rule: `at most ${MAX_CERTIFICATE_LENGTH} bytes`,
    });
  }
  const whole = new Uint8Array(untrusted);
  return DerReader.read(whole, (reader) =>
    reader.sequence((parts) => {
      const tbs = parts.raw();
      const signatureAlgorithm = readAlgorithm(parts, others);
      const signature = parts.bitString();
      return { der: whole, tbs, signature, ...readTbs(tbs, signatureAlgorithm, others) };
    }),
  );
}

/** RFC 5280 §4.1.2. */
function readTbs(
  tbs: Uint8Array,
  outerAlgorithm: string,
  others: OtherAlgorithms,
): Omit<Certificate, 'der' | 'tbs' | 'signature'> {
  return DerReader.read(tbs, (reader) =>
    reader.sequence((fields) => {
      readVersion(fields);
      const serial = readSerial(fields);
      const signatureAlgorithm = readAlgorithm(fields, others);
      if (signatureAlgorithm !== outerAlgorithm) {
        throw new PkiError('AlgorithmMismatch', 'the two signature algorithms differ', {
          field: 'signatureAlgorithm',
          rule: 'RFC 5280 §4.1.1.2',
        });
      }
      const issuer = readName(fields, 'issuer');
      if (issuer.attributes.length === 0) {
        throw new PkiError('BadName', 'the issuer has no name', {
          field: 'issuer',
          rule: 'RFC 5280 §4.1.2.4',
        });
      }
      const validity = readValidity(fields);
      const subject = readName(fields, 'subject');
      const spki = readSpki(fields);
      // The unique ids [1] and [2] are obsolete (RFC 5280 §4.1.2.8): whoever has them is refused as trailing bytes.
      const extensions = fields.explicit(3, readExtensions);
      return { serial, issuer, subject, ...validity, spki, signatureAlgorithm, ...extensions };
    }),
  );
}

function readVersion(reader: DerReader): void {
  const version = reader.optionalExplicit(0, (inner) => inner.smallInteger());
  if (version !== VERSION_3) {
    throw new PkiError('UnsupportedVersion', 'the certificate is not of version 3', {
      field: 'version',
      rule: 'RFC 5280 §4.1.2.1',
    });
  }
}

function readSerial(reader: DerReader): string {
  const content = reader.integerContent();
  const isPositive = (content[0] ?? 0) < 0x80 && content.some((octet) => octet !== 0);
  if (!isPositive || content.length > MAX_SERIAL_LENGTH) {
    throw new PkiError('BadSerial', 'the serial number is not a positive one of at most 20 bytes', {
      field: 'serialNumber',
      rule: 'RFC 5280 §4.1.2.2',
    });
  }
  return toHex(content[0] === 0 ? content.subarray(1) : content);
}

/** Reads a signature's AlgorithmIdentifier: its dotted OID, or what `others` calls it. */
export function readAlgorithm(reader: DerReader, others: OtherAlgorithms = () => null): string {
  const identifier = reader.raw();
  const other = others(identifier);
  if (other !== null) return other;
  return DerReader.read(identifier, (whole) =>
    whole.sequence((algorithm) => {
      const oid = algorithm.oid();
      if (curveOfAlgorithm(oid) === null || !algorithm.done) {
        throw new PkiError(
          'UnsupportedAlgorithm',
          `the signature algorithm ${oid} is not accepted, or has parameters`,
          {
            field: 'signatureAlgorithm',
            rule: `${Object.values(SIGNATURE_ALGORITHMS).join(' or ')} without parameters (RFC 5758 §3.2)`,
          },
        );
      }
      return oid;
    }),
  );
}

function readValidity(reader: DerReader): { readonly notBefore: number; readonly notAfter: number } {
  return reader.sequence((times) => {
    const notBefore = times.time();
    const notAfter = times.time();
    if (notAfter < notBefore) {
      throw new PkiError('BadValidity', 'the certificate ends before it begins', {
        field: 'validity',
        rule: 'RFC 5280 §4.1.2.5',
      });
    }
    return { notBefore, notAfter };
  });
}

/** RFC 5280 §4.1.2.7, as bytes; what key it holds shows when it is used. */
export function readSpki(reader: DerReader): Uint8Array {
  const spki = reader.raw().slice();
  DerReader.read(spki, (outer) =>
    outer.sequence((parts) => {
      parts.sequence((algorithm) => {
        algorithm.oid();
        if (!algorithm.done) algorithm.any();
      });
      parts.bitString();
    }),
  );
  return spki;
}

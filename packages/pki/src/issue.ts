import { DerReader, der, fromHex, signatureToDer, type Entropy } from '@sevenfold/formats';

import { encodeAttestationData, type AttestationData } from './attestation-data.ts';
import { parseCertificate, signatureAlgorithmOf, type Certificate } from './certificate.ts';
import { PkiError } from './errors.ts';
import { encodeExtension } from './extensions.ts';
import { CURVES, curveOfSpki, pointOfSpki, sha256, type KeyCurve } from './keys.ts';
import { encodeName, type NameParts } from './name.ts';
import { OID } from './oids.ts';
import {
  addLifetime,
  BACKDATE_MS,
  EXTENDED_KEY_USAGES,
  KEY_USAGE_BITS,
  PROFILES,
  type Profile,
  type ProfileName,
} from './profiles.ts';
import { checkSpki, verifySignature } from './public-key.ts';

/** What differs between two certificates of one profile. */
export interface CertificateRequest {
  readonly subject: NameParts;
  /** SPKI of the ECDSA key that is certified, on a curve of the profile. */
  readonly publicKey: Uint8Array;
  /** When it is issued, ms since 1970; it begins five minutes earlier. */
  readonly now: number;
  /** Gives the 128-bit serial number. */
  readonly entropy: Entropy;
  /** For the profiles that carry it, and for no other. */
  readonly attestation?: AttestationData;
  /** DNS names and IP addresses, for the profiles that name hosts, and for no other. */
  readonly hostNames?: readonly string[];
}

/** Who signs: the CA's certificate (null: the new certificate is its own issuer) and its key. */
export interface CertificateIssuer {
  readonly certificate: Certificate | null;
  /** ECDSA over the hash of its curve, r‖s. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

const SERIAL_LENGTH = 16;
const KEY_ID_LENGTH = 20;

/** Issues a certificate of a profile and resolves with its DER. Refuses with `BadRequest`, `BadKey` or `BadName`. */
export async function issueCertificate(
  profileName: ProfileName,
  request: CertificateRequest,
  issuer: CertificateIssuer,
): Promise<Uint8Array> {
  const profile: Profile = PROFILES[profileName];
  checkIssuer(profile, issuer.certificate);
  const subject = encodeName(request.subject);
  const spki = checkSpki(request.publicKey, 'publicKey', profile.curves);
  const issuerSpki = issuer.certificate?.spki ?? spki;
  const curve = signingCurve(issuerSpki);
  const algorithm = signatureAlgorithmOf(curve);
  const { notBefore, notAfter } = validityOf(profile, request.now, issuer.certificate);
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(serialNumber(request.entropy)),
    algorithm,
    issuer.certificate?.subject.der ?? subject,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    subject,
    spki,
    der.explicit(3, der.sequence(...extensionsOf(profile, request, spki, issuer.certificate))),
  );
  return signTbs(tbs, issuer, issuerSpki);
}

/** Signs what was encoded, and looks at the signature before anybody sees it. */
async function signTbs(
  tbs: Uint8Array,
  issuer: CertificateIssuer,
  issuerSpki: Uint8Array,
): Promise<Uint8Array> {
  const curve = signingCurve(issuerSpki);
  const signature = await issuer.sign(tbs);
  // A fault while signing, or a key that is not the issuer's, must not leave this function.
  if (!verifySignature(issuerSpki, tbs, signature, CURVES[curve].algorithm)) throw foreignSignature();
  return der.sequence(
    tbs,
    signatureAlgorithmOf(curve),
    der.bitString(signatureToDer(signature, CURVES[curve].fieldLength)),
  );
}

/** The issuer's key is not that of its certificate, or failed. */
export function foreignSignature(): PkiError {
  return new PkiError('BadSignature', 'the issuer’s key does not fit its certificate', { field: 'issuer' });
}

/** Issues and reads back: the certificate as everybody else will see it. */
export async function issueAndParse(
  profileName: ProfileName,
  request: CertificateRequest,
  issuer: CertificateIssuer,
): Promise<Certificate> {
  return parseCertificate(await issueCertificate(profileName, request, issuer));
}

/** The key identifier of a public key: leftmost 160 bits of the SHA-256 of its bits (RFC 7093 §2, method 1). */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const bits =
    pointOfSpki(spki) ??
    DerReader.read(spki, (reader) =>
      reader.sequence((parts) => {
        parts.raw();
        return parts.bitString();
      }),
    );
  return sha256(bits).slice(0, KEY_ID_LENGTH);
}

/** Whether this authority may issue certificates of that profile: `BadRequest` where not. */
export function checkIssuer(profile: Profile, issuer: Certificate | null): void {
  if (issuer === null) {
    if (profile.pathLength === null)
      throw badRequest('an end entity cannot be its own issuer', 'issuer', 'a certificate authority');
    return;
  }
  const { basicConstraints } = issuer;
  const mayIssue = basicConstraints?.isCa === true && issuer.keyUsage?.includes('keyCertSign') === true;
  if (!mayIssue) throw badRequest('the issuer is no certificate authority', 'issuer', 'RFC 5280 §4.2.1.9');
  const longest = basicConstraints.pathLength;
  if (profile.pathLength !== null && longest !== null && profile.pathLength >= longest) {
    throw badRequest(
      'the issuer may not have this authority below it',
      'issuer',
      `path length at most ${longest - 1}`,
    );
  }
}

/** Backdated for slow clocks; never longer than the issuer, since a chain is no longer than its shortest part. */
export function validityOf(
  profile: Profile,
  now: number,
  issuer: Certificate | null,
): { notBefore: number; notAfter: number } {
  const notBefore = Math.max(now - BACKDATE_MS, issuer?.notBefore ?? Number.NEGATIVE_INFINITY);
  const notAfter = Math.min(addLifetime(now, profile.lifetime), issuer?.notAfter ?? Number.POSITIVE_INFINITY);
  if (notAfter <= now || notBefore > now)
    throw badRequest('the issuer is not valid now', 'issuer', 'valid now');
  return { notBefore, notAfter };
}

/** The curve that an issuer's key signs on. Refuses others with `BadRequest`. */
export function signingCurve(spki: Uint8Array): KeyCurve {
  const curve = curveOfSpki(spki);
  if (curve === null)
    throw badRequest('the issuer’s key signs no certificates here', 'issuer', 'P-256 or P-384');
  return curve;
}

/** A serial number of 128 random bits. Refuses a broken source with `BadSerial`. */
export function serialNumber(entropy: Entropy): Uint8Array {
  const serial = entropy.random(SERIAL_LENGTH);
  if (serial.length !== SERIAL_LENGTH || serial.every((octet) => octet === 0)) {
    throw new PkiError('BadSerial', 'the source of entropy gave no serial number', {
      field: 'entropy',
      rule: '16 random bytes',
    });
  }
  return serial;
}

/** The extensions that a profile demands, each encoded. */
export function extensionsOf(
  profile: Profile,
  request: CertificateRequest,
  spki: Uint8Array,
  issuer: Certificate | null,
): readonly Uint8Array[] {
  const extensions: Uint8Array[] = [];
  if (profile.pathLength !== null) {
    extensions.push(
      encodeExtension(
        OID.basicConstraints,
        true,
        der.sequence(der.boolean(true), der.integer(profile.pathLength)),
      ),
    );
  }
  extensions.push(
    encodeExtension(
      OID.keyUsage,
      true,
      der.namedBits(...profile.keyUsage.map((usage) => KEY_USAGE_BITS[usage])),
    ),
  );
  if (profile.extendedKeyUsage.length > 0) {
    const purposes = profile.extendedKeyUsage.map((usage) => der.oid(EXTENDED_KEY_USAGES[usage]));
    extensions.push(encodeExtension(OID.extendedKeyUsage, false, der.sequence(...purposes)));
  }
  const subjectKeyId = keyIdentifier(spki);
  const authorityKeyId = issuer === null ? subjectKeyId : (issuer.subjectKeyId ?? keyIdentifier(issuer.spki));
  extensions.push(
    encodeExtension(OID.subjectKeyIdentifier, false, der.octetString(subjectKeyId)),
    encodeExtension(OID.authorityKeyIdentifier, false, der.sequence(der.implicit(0, authorityKeyId))),
  );
  if (profile.hostNames !== (request.hostNames !== undefined)) {
    throw badRequest(
      'host names do not fit the profile',
      'hostNames',
      profile.hostNames ? 'at least one' : 'none',
    );
  }
  if (request.hostNames !== undefined) {
    extensions.push(encodeExtension(OID.subjectAlternativeName, false, encodeHostNames(request.hostNames)));
  }
  if (profile.attestation !== (request.attestation !== undefined)) {
    throw badRequest(
      'attestation data do not fit the profile',
      'attestation',
      profile.attestation ? 'present' : 'absent',
    );
  }
  if (request.attestation !== undefined) {
    extensions.push(encodeExtension(OID.attestation, false, encodeAttestationData(request.attestation)));
  }
  return extensions;
}

/** RFC 5280 §4.2.1.6: `[2]` a DNS name, `[7]` an address. */
function encodeHostNames(names: readonly string[]): Uint8Array {
  if (names.length === 0) throw badRequest('there is no host name', 'hostNames', 'at least one');
  return der.sequence(
    ...names.map((name) => {
      const address = parseAddress(name);
      if (address !== null) return der.implicit(7, address);
      if (name.length > 253 || !/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/u.test(name)) {
        throw badRequest(
          `"${name}" is no host name`,
          'hostNames',
          'lower-case letters, digits, hyphens and dots',
        );
      }
      return der.implicit(2, new TextEncoder().encode(name));
    }),
  );
}

/** An IPv4 address, or the IPv6 loopback; other IPv6 hosts are named by DNS. */
function parseAddress(name: string): Uint8Array | null {
  if (name === '::1') return fromHex('00000000000000000000000000000001');
  const parts = /^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$/u.exec(name)?.slice(1).map(Number);
  if (parts === undefined) return null;
  if (parts.some((part) => part > 255)) throw badRequest(`"${name}" is no address`, 'hostNames', '0 … 255');
  return Uint8Array.from(parts);
}

function badRequest(message: string, field: string, rule: string): PkiError {
  return new PkiError('BadRequest', message, { field, rule });
}

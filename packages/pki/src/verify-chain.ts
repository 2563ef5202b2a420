import { equalBytes, signatureFromDer } from '@sevenfold/formats';

import { curveOfAlgorithm, type Certificate } from './certificate.ts';
import { PkiError, type PkiErrorCode } from './errors.ts';
import { CURVES, curveOfSpki } from './keys.ts';
import { checkNames } from './check-names.ts';
import { nameText } from './name.ts';
import { EXTENDED_KEY_USAGES, type ExtendedKeyUsage, type KeyUsage } from './profiles.ts';
import { verifySignature } from './public-key.ts';
import { isRsaAlgorithm, verifyRsa } from './rsa-signature.ts';

/** What is to be verified, and by whose word. */
export interface ChainQuery {
  readonly leaf: Certificate;
  /** Certificates that may stand between; untrusted, in any order. */
  readonly intermediates: readonly Certificate[];
  /** Certificates that are trusted as such. Any CA may be one: a relying party that knows but the tenant CA gives that. */
  readonly roots: readonly Certificate[];
  /** ms since 1970. */
  readonly now: number;
  /**
   * What the leaf is to be used for; it must say so itself. Null for endorsements of chips (IDevID, EK), which are not
   * shown in TLS: then neither its key usage nor a purpose is looked at.
   */
  readonly purpose: ExtendedKeyUsage | null;
  /**
   * Whether what a certificate does not mention, key usage or purposes, restricts nothing (RFC 5280 §4.2.1.3, §4.2.1.12):
   * for servers of the world outside. Default: it must say what it is for.
   */
  readonly mayBeUnrestricted?: boolean;
}

/** What the search for a path may still cost. */
interface Budget {
  left: number;
}

/** Longest path, anchor included. */
const MAX_PATH = 6;
const MAX_INTERMEDIATES = 16;
/** Authorities that look alike make the search try each below each; this many units of work and it is given up. */
const MAX_WORK = 60;
/** Cost of verifying one signature; of RSA up to 4096 bits as much as on P-256. */
const WORK = { 'P-256': 1, 'P-384': 8, RSA: 1 } as const;

/**
 * Verifies a certificate after RFC 5280 §6 and answers its path, leaf first, trust anchor last. Policies (§6.1.3 (d)
 * to (f)) are not looked at, so a certificate that makes them critical is refused as one with any other critical
 * extension that is not understood. There is no revocation list: what is issued here lives for a day. Refuses with the `PkiError` of the path that came
 * furthest.
 */
export function verifyChain(query: ChainQuery): readonly Certificate[] {
  if (query.intermediates.length > MAX_INTERMEDIATES) {
    throw new PkiError('TooManyCertificates', 'there are too many intermediate certificates', {
      field: 'intermediates',
      rule: `at most ${MAX_INTERMEDIATES}`,
    });
  }
  checkValidity(query.leaf, query.now);
  checkProcessed(query.leaf);
  if (query.purpose !== null) {
    checkKeyUsage(query, query.leaf, 'digitalSignature');
    if (query.leaf.extendedKeyUsage !== null || query.mayBeUnrestricted !== true)
      checkPurpose(query.leaf, query.purpose);
  }
  return extendPath(query, [query.leaf], { left: MAX_WORK });
}

/**
 * Whether `issuer`'s key signed `certificate`, by the algorithm of that key's curve, or with RSA where it was read as a
 * foreign one; says nothing else. Refuses an RSA key that is too small or too large with `BadKey`.
 */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  const { signatureAlgorithm: named } = certificate;
  if (isRsaAlgorithm(named)) return verifyRsa(issuer.spki, certificate.tbs, certificate.signature, named);
  const curve = curveOfAlgorithm(certificate.signatureAlgorithm);
  if (curve === null || curve !== curveOfSpki(issuer.spki)) return false;
  const { fieldLength, algorithm } = CURVES[curve];
  let signature: Uint8Array;
  try {
    signature = signatureFromDer(certificate.signature, fieldLength);
  } catch {
    // No signature at all is no signature of the issuer.
    return false;
  }
  return verifySignature(issuer.spki, certificate.tbs, signature, algorithm);
}

/** Looks for the issuer of the path's last certificate: anchors first, then what came along. */
function extendPath(query: ChainQuery, path: readonly Certificate[], budget: Budget): readonly Certificate[] {
  const child = path.at(-1) ?? query.leaf;
  let refusal = failure('UnknownIssuer', child, 'its issuer is not known', 'RFC 5280 §6.1.3 (a) (4)');
  for (const { candidate, isAnchor } of candidatesFor(child, query, path)) {
    try {
      const longer = [...path, candidate];
      checkIssued(child, candidate, longer, query, budget);
      if (!isAnchor) return extendPath(query, longer, budget);
      checkNameConstraints(longer);
      return longer;
    } catch (error) {
      if (!(error instanceof PkiError) || error.code === 'TooCostly') throw error;
      if (refusal.code === 'UnknownIssuer') refusal = error;
    }
  }
  throw refusal;
}

function candidatesFor(
  child: Certificate,
  query: ChainQuery,
  path: readonly Certificate[],
): readonly { readonly candidate: Certificate; readonly isAnchor: boolean }[] {
  if (path.length >= MAX_PATH) return [];
  const all = [
    ...query.roots.map((candidate) => ({ candidate, isAnchor: true })),
    ...query.intermediates.map((candidate) => ({ candidate, isAnchor: false })),
  ];
  return all.filter(
    ({ candidate }) =>
      equalBytes(candidate.subject.der, child.issuer.der) &&
      (child.authorityKeyId === null ||
        candidate.subjectKeyId === null ||
        equalBytes(child.authorityKeyId, candidate.subjectKeyId)) &&
      !path.some((known) => equalBytes(known.der, candidate.der)),
  );
}

/** The steps of RFC 5280 §6.1.3 and §6.1.4 for one issuer; a trust anchor must take them too. */
function checkIssued(
  child: Certificate,
  issuer: Certificate,
  path: readonly Certificate[],
  query: ChainQuery,
  budget: Budget,
): void {
  budget.left -= WORK[curveOfSpki(issuer.spki) ?? 'RSA'];
  if (budget.left < 0) {
    throw failure(
      'TooCostly',
      query.leaf,
      'to find its path costs too much',
      `${MAX_WORK} signatures at most`,
    );
  }
  if (!isSignedBy(child, issuer)) {
    throw failure(
      'BadSignature',
      child,
      `it is not signed by ${nameText(issuer.subject)}`,
      'RFC 5280 §6.1.3 (a) (1)',
    );
  }
  checkValidity(issuer, query.now);
  checkProcessed(issuer);
  checkAuthority(issuer, path);
  checkKeyUsage(query, issuer, 'keyCertSign');
  // An authority that is limited to purposes cannot give what it has not.
  if (issuer.extendedKeyUsage !== null && query.purpose !== null) checkPurpose(issuer, query.purpose);
}

/** RFC 5280 §6.1.3 (b), (c), §6.1.4 (g): each authority's constraints hold for all below it but the self-issued between. */
function checkNameConstraints(path: readonly Certificate[]): void {
  for (const [height, { nameConstraints }] of path.entries()) {
    if (nameConstraints === null) continue;
    for (const [depth, below] of path.slice(0, height).entries()) {
      if (depth === 0 || !isSelfIssued(below)) checkNames(below, nameConstraints);
    }
  }
}

function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.subject.der, certificate.issuer.der);
}

/** RFC 5280 §6.1.3 (a) (2): both ends inclusive. */
function checkValidity(certificate: Certificate, now: number): void {
  if (now < certificate.notBefore) {
    throw failure(
      'NotYetValid',
      certificate,
      `it begins ${timeText(certificate.notBefore)}`,
      'RFC 5280 §6.1.3 (a) (2)',
    );
  }
  // Validity ends with the last second that it names.
  if (now >= certificate.notAfter + 1000) {
    throw failure(
      'Expired',
      certificate,
      `it ended ${timeText(certificate.notAfter)}`,
      'RFC 5280 §6.1.3 (a) (2)',
    );
  }
}

/** RFC 5280 §6.1.4 (o), §6.1.5 (f). */
function checkProcessed(certificate: Certificate): void {
  const [oid] = certificate.unprocessed;
  if (oid === undefined) return;
  throw failure(
    'UnknownCriticalExtension',
    certificate,
    `its extension ${oid} is critical and not understood`,
    'RFC 5280 §4.2',
  );
}

/** RFC 5280 §6.1.4 (k) to (m): `path` ends with this authority; the leaf and self-issued certificates do not count. */
function checkAuthority(issuer: Certificate, path: readonly Certificate[]): void {
  if (issuer.basicConstraints?.isCa !== true) {
    throw failure(
      'NotACertificateAuthority',
      issuer,
      'it is no certificate authority',
      'RFC 5280 §6.1.4 (k)',
    );
  }
  const { pathLength } = issuer.basicConstraints;
  const below = path.slice(1, -1).filter((one) => !isSelfIssued(one)).length;
  if (pathLength !== null && below > pathLength) {
    throw failure(
      'PathTooLong',
      issuer,
      `${below} authorities stand below it`,
      `at most ${pathLength} (RFC 5280 §6.1.4 (m))`,
    );
  }
}

/** RFC 5280 §6.1.4 (n); stricter for end entities: they must say what their key is for. */
function checkKeyUsage(query: ChainQuery, certificate: Certificate, usage: KeyUsage): void {
  if (certificate.keyUsage === null && query.mayBeUnrestricted === true) return;
  if (certificate.keyUsage?.includes(usage) === true) return;
  throw failure('WrongKeyUsage', certificate, `its key is not for ${usage}`, 'RFC 5280 §4.2.1.3');
}

function checkPurpose(certificate: Certificate, purpose: ExtendedKeyUsage): void {
  if (certificate.extendedKeyUsage?.includes(EXTENDED_KEY_USAGES[purpose]) === true) return;
  throw failure('WrongPurpose', certificate, `it is not for ${purpose}`, 'RFC 5280 §4.2.1.12');
}

function failure(code: PkiErrorCode, certificate: Certificate, why: string, rule: string): PkiError {
  return new PkiError(code, `The certificate of ${nameText(certificate.subject)} is refused: ${why}.`, {
    field: `certificate ${certificate.serial}`,
    rule,
  });
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

import { equalBytes, type Entropy } from '@sevenfold/formats';

import { parseCertificate, type Certificate } from './certificate.ts';
import { PkiError } from './errors.ts';
import { issueAndParse, type CertificateIssuer } from './issue.ts';
import { ensureKey, type KeyStore } from './key-store.ts';
import type { KeyCurve } from './keys.ts';
import type { NameParts } from './name.ts';
import { parseSigningRequest } from './signing-request.ts';

/** What a root that lives on a machine of its own stands on. */
export interface OfflineRootOptions {
  readonly keys: KeyStore;
  /** ms since 1970: the clock of that machine has to be right. */
  readonly now: number;
  readonly entropy: Entropy;
}

/** A root with its certificate. */
export interface OfflineRoot extends OfflineRootOptions {
  readonly certificate: Certificate;
}

/** The name of the root's key in its store. */
const KEY_NAME = 'offline-root';
const ORGANISATION = 'Sevenfold';
const ROOT_NAME: NameParts = [
  ['O', ORGANISATION],
  ['CN', 'Sevenfold root'],
];
const INTERMEDIATE_NAME = 'Sevenfold intermediate';

/** Makes the root's key, unless there is one already, and its certificate. The caller keeps the certificate. */
export async function makeOfflineRoot(options: OfflineRootOptions, curve: KeyCurve): Promise<OfflineRoot> {
  const publicKey = await ensureKey(options.keys, KEY_NAME, curve);
  const certificate = await issueAndParse(
    'root',
    { subject: ROOT_NAME, publicKey, now: options.now, entropy: options.entropy },
    { certificate: null, sign: async (message) => options.keys.sign(KEY_NAME, message) },
  );
  return { ...options, certificate };
}

/** The root whose certificate was kept. Refuses a certificate of another key with `BadKey`. */
export async function openOfflineRoot(
  options: OfflineRootOptions,
  untrusted: Uint8Array,
): Promise<OfflineRoot> {
  const certificate = parseCertificate(untrusted);
  const publicKey = await options.keys.public(KEY_NAME);
  if (publicKey === null || !equalBytes(publicKey, certificate.spki))
    throw new PkiError('BadKey', 'the root’s certificate is not the one of its key', { field: 'root' });
  return { ...options, certificate };
}

/**
 * Certifies a service's intermediate for ten years. Only the request's key and proof of it count: the name has to be
 * the intermediate's, everything else comes from the profile. Refuses with the codes of `parseSigningRequest` and
 * `BadSigningRequest`.
 */
export async function signIntermediate(
  root: OfflineRoot,
  untrustedRequest: Uint8Array,
): Promise<Certificate> {
  const request = parseSigningRequest(untrustedRequest);
  const subject: NameParts = [
    ['O', ORGANISATION],
    ['CN', INTERMEDIATE_NAME],
  ];
  const asked = request.subject.attributes.map(({ type, value }) => `${type}=${value}`).join();
  if (asked !== subject.map(([type, value]) => `${type}=${value}`).join()) {
    throw new PkiError('BadSigningRequest', 'the request is not one for an intermediate', {
      field: 'subject',
      rule: `O=${ORGANISATION}, CN=${INTERMEDIATE_NAME}`,
    });
  }
  const issuer: CertificateIssuer = {
    certificate: root.certificate,
    sign: async (message) => root.keys.sign(KEY_NAME, message),
  };
  return issueAndParse(
    'intermediate',
    { subject, publicKey: request.spki, now: root.now, entropy: root.entropy },
    issuer,
  );
}

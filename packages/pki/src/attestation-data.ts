import { der, DerReader } from '@sevenfold/formats';

import { PkiError } from './errors.ts';

/** What a device certificate says about the attestation that it was issued for (docs/attestation-extension.md). */
export interface AttestationData {
  /** `trusted` in every client certificate; update certificates may hold any verdict. */
  readonly verdict: AttestedVerdict;
  /** The OS release that the device was running, where it is one that was published. */
  readonly release: string | null;
  /** SHA-256 of the evidence as it came. */
  readonly evidenceDigest: Uint8Array;
}

const VERDICTS = ['trusted', 'outdated', 'revoked', 'unknown'] as const;
export type AttestedVerdict = (typeof VERDICTS)[number];

const VERSION = 1;
const MAX_RELEASE = 64;
const DIGEST_LENGTH = 32;

/** The extension's value. */
export function encodeAttestationData(data: AttestationData): Uint8Array {
  checkData(data);
  return der.sequence(
    der.integer(VERSION),
    der.utf8String(data.verdict),
    ...(data.release === null ? [] : [der.explicit(0, der.utf8String(data.release))]),
    der.octetString(data.evidenceDigest),
  );
}

/** Reads the extension's value. */
export function decodeAttestationData(untrusted: Uint8Array): AttestationData {
  return DerReader.read(untrusted, (reader) =>
    reader.sequence((fields) => {
      if (fields.smallInteger() !== VERSION)
        throw badData('the version is not known', 'attestation.version', `${VERSION}`);
      const word = fields.utf8String();
      const verdict = VERDICTS.find((known) => known === word);
      if (verdict === undefined)
        throw badData('the verdict is not known', 'attestation.verdict', VERDICTS.join(', '));
      const release = fields.optionalExplicit(0, (inner) => inner.utf8String());
      const data = { verdict, release, evidenceDigest: fields.octetString().slice() };
      checkData(data);
      return data;
    }),
  );
}

function checkData(data: AttestationData): void {
  if (data.release !== null && (data.release.length === 0 || data.release.length > MAX_RELEASE)) {
    throw badData('the release is empty or too long', 'attestation.release', `1 … ${MAX_RELEASE} characters`);
  }
  if (data.evidenceDigest.length !== DIGEST_LENGTH) {
    throw badData('the digest has a wrong length', 'attestation.evidenceDigest', `${DIGEST_LENGTH} bytes`);
  }
}

function badData(message: string, field: string, rule: string): PkiError {
  return new PkiError('BadExtension', message, { field, rule });
}

import { der, equalBytes, toHex, type Entropy } from '@sevenfold/formats';

import type { AttestationData } from './attestation-data.ts';
import { signatureAlgorithmOf, type Certificate } from './certificate.ts';
import { PkiError } from './errors.ts';
import {
  checkIssuer,
  extensionsOf,
  keyIdentifier,
  serialNumber,
  signingCurve,
  signTbs,
  validityOf,
  type CertificateIssuer,
  type CertificateRequest,
} from './issue.ts';
import { checkSpki } from './keys.ts';
import { encodeName } from './name.ts';
import { PROFILES, type Profile } from './profiles.ts';

/** What differs between two certificates of one leaf issuer. */
export interface LeafRequest {
  /** 64 lower-case hex digits: the common name. */
  readonly deviceId: string;
  /** SPKI of the key that is certified, on P-256. */
  readonly publicKey: Uint8Array;
  /** When it is issued, ms since 1970. */
  readonly now: number;
  readonly entropy: Entropy;
  readonly attestation: AttestationData;
}

/** A certificate that was issued: its DER, and its serial number in lower-case hex as `parseCertificate` reads it. */
export interface IssuedLeaf {
  readonly der: Uint8Array;
  readonly serial: string;
}

interface PreparedExtensions {
  readonly encoded: Uint8Array;
  /** Where the subject key identifier stands; the authority's comes after it. */
  readonly keyIdAt: number;
}

const DEVICE_ID = /^[0-9a-f]{64}$/u;
const DIGEST_LENGTH = 32;
/** Verdicts and releases that certificates were issued for: more than are ever in the field together. */
const MOST_FORMS = 64;

/**
 * Issues certificates of devices as `issueCertificate` does, byte for byte, but encodes what does not differ from one
 * to the next only once: fields are put into encodings that the general encoder has made.
 */
export class LeafIssuer {
  readonly #profile: Profile;
  readonly #issuer: CertificateIssuer & { readonly certificate: Certificate };
  readonly #version = der.explicit(0, der.integer(2));
  readonly #algorithm: Uint8Array;
  readonly #subject: Uint8Array;
  /** By verdict and release. */
  readonly #prepared = new Map<string, PreparedExtensions>();
  #validity: { readonly second: number; readonly encoded: Uint8Array } | null = null;

  /** Refuses an issuer that may not issue this profile with `BadRequest`. */
  constructor(
    profileName: 'device' | 'update',
    issuer: CertificateIssuer & { readonly certificate: Certificate },
  ) {
    this.#profile = PROFILES[profileName];
    this.#issuer = issuer;
    checkIssuer(this.#profile, issuer.certificate);
    this.#algorithm = signatureAlgorithmOf(signingCurve(issuer.certificate.spki));
    this.#subject = encodeName([['CN', '0'.repeat(64)]]);
  }

  /** Issues one. Refuses with `BadRequest`, `BadKey`, `BadName` or `BadSignature`. */
  async issue(request: LeafRequest): Promise<IssuedLeaf> {
    const spki = checkSpki(request.publicKey, 'publicKey', this.#profile.curves);
    const serial = serialNumber(request.entropy);
    const tbs = der.sequence(
      this.#version,
      der.integer(serial),
      this.#algorithm,
      this.#issuer.certificate.subject.der,
      this.#validityAt(request.now),
      this.#subjectOf(request.deviceId),
      spki,
      this.#extensionsFor(request, spki),
    );
    const { certificate } = this.#issuer;
    const first = serial.findIndex((octet) => octet !== 0);
    return {
      der: await signTbs(tbs, this.#issuer, certificate.spki),
      serial: toHex(serial.subarray(first)),
    };
  }

  /** Times are written in whole seconds: one encoding a second. */
  #validityAt(now: number): Uint8Array {
    const { notBefore, notAfter } = validityOf(this.#profile, now, this.#issuer.certificate);
    const second = Math.floor(now / 1000);
    if (this.#validity?.second !== second) {
      this.#validity = { second, encoded: der.sequence(der.time(notBefore), der.time(notAfter)) };
    }
    return this.#validity.encoded;
  }

  #subjectOf(deviceId: string): Uint8Array {
    if (!DEVICE_ID.test(deviceId))
      throw new PkiError('BadName', 'this is no device id', { field: 'subject', rule: '64 hex digits' });
    const subject = this.#subject.slice();
    const start = subject.length - deviceId.length;
    for (let index = 0; index < deviceId.length; index += 1)
      subject[start + index] = deviceId.charCodeAt(index);
    return subject;
  }

  #extensionsFor(request: LeafRequest, spki: Uint8Array): Uint8Array {
    const { evidenceDigest } = request.attestation;
    if (evidenceDigest.length !== DIGEST_LENGTH)
      throw new PkiError('BadExtension', 'the digest has a wrong length', { rule: `${DIGEST_LENGTH} bytes` });
    const { encoded, keyIdAt } = this.#preparedFor(request);
    const extensions = encoded.slice();
    extensions.set(keyIdentifier(spki), keyIdAt);
    // The digest ends the attestation data, and these end the extensions.
    extensions.set(evidenceDigest, extensions.length - DIGEST_LENGTH);
    return extensions;
  }

  #preparedFor(request: LeafRequest): PreparedExtensions {
    const { deviceId, publicKey, attestation } = request;
    const form = JSON.stringify([attestation.verdict, attestation.release]);
    const known = this.#prepared.get(form);
    if (known !== undefined) return known;
    const whole: CertificateRequest = { ...request, subject: [['CN', deviceId]] };
    const encoded = der.explicit(
      3,
      der.sequence(...extensionsOf(this.#profile, whole, publicKey, this.#issuer.certificate)),
    );
    const prepared = { encoded, keyIdAt: placeOf(keyIdentifier(publicKey), encoded) };
    if (this.#prepared.size >= MOST_FORMS) this.#prepared.clear();
    this.#prepared.set(form, prepared);
    return prepared;
  }
}

function placeOf(part: Uint8Array, whole: Uint8Array): number {
  for (let start = 0; start + part.length <= whole.length; start += 1)
    if (equalBytes(whole.subarray(start, start + part.length), part)) return start;
  throw new PkiError('BadRequest', 'the extensions name no key', { field: 'subjectKeyIdentifier' });
}

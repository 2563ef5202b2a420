import { concatBytes, der, equalBytes, signatureToDer, toHex, type Entropy } from '@sevenfold/formats';

import type { AttestationData } from './attestation-data.ts';
import { signatureAlgorithmOf, type Certificate } from './certificate.ts';
import { PkiError } from './errors.ts';
import {
  checkIssuer,
  extensionsOf,
  foreignSignature,
  keyIdentifier,
  serialNumber,
  signingCurve,
  validityOf,
  type CertificateIssuer,
  type CertificateRequest,
} from './issue.ts';
import { CURVES, curveOfSpki, type KeyCurve } from './keys.ts';
import { encodeName } from './name.ts';
import { PROFILES, type Profile } from './profiles.ts';
import { PublicKey } from './public-key.ts';

/** What differs between two certificates of one leaf issuer. */
export interface LeafRequest {
  /** 64 lower-case hex digits: the common name. */
  readonly deviceId: string;
  /** The key that is certified, on P-256. */
  readonly publicKey: PublicKey;
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
/** One signature in so many is looked at before it leaves, the first among them (docs/decisions/0011). */
const CHECKED_ONE_IN = 256;

/**
 * Issues certificates of devices as `issueCertificate` does, byte for byte, but encodes what does not differ from one
 * to the next only once: fields are put into encodings that the general encoder has made.
 */
export class LeafIssuer {
  readonly #profile: Profile;
  readonly #issuer: CertificateIssuer & { readonly certificate: Certificate };
  readonly #issuerKey: PublicKey;
  readonly #curve: KeyCurve;
  readonly #version = der.explicit(0, der.integer(2));
  readonly #algorithm: Uint8Array;
  readonly #subject: Uint8Array;
  /** By verdict and release. */
  readonly #prepared = new Map<string, PreparedExtensions>();
  #middle: { readonly second: number; readonly encoded: Uint8Array } | null = null;
  #untilCheck = 0;

  /** Refuses an issuer that may not issue this profile with `BadRequest`. */
  constructor(
    profileName: 'device' | 'update',
    issuer: CertificateIssuer & { readonly certificate: Certificate },
  ) {
    this.#profile = PROFILES[profileName];
    this.#issuer = issuer;
    checkIssuer(this.#profile, issuer.certificate);
    this.#curve = signingCurve(issuer.certificate.spki);
    this.#issuerKey = PublicKey.require(issuer.certificate.spki, 'issuer', [this.#curve]);
    this.#algorithm = signatureAlgorithmOf(this.#curve);
    this.#subject = encodeName([['CN', '0'.repeat(64)]]);
  }

  /** Issues one. Refuses with `BadRequest`, `BadKey`, `BadName` or `BadSignature`. */
  async issue(request: LeafRequest): Promise<IssuedLeaf> {
    const { spki } = request.publicKey;
    const curve = curveOfSpki(spki);
    if (curve === null || !this.#profile.curves.includes(curve)) {
      throw new PkiError(
        'BadKey',
        `the key is not of the kind that this profile certifies: ${this.#profile.curves.join(' or ')}`,
        {
          field: 'publicKey',
          rule: this.#profile.curves.join(' or '),
        },
      );
    }
    const serial = serialNumber(request.entropy);
    const tbs = der.sequence(
      this.#version,
      der.integer(serial),
      this.#middleAt(request.now),
      this.#subjectOf(request.deviceId),
      spki,
      this.#extensionsFor(request, spki),
    );
    const signature = signatureToDer(await this.#sign(tbs), CURVES[this.#curve].fieldLength);
    const first = serial.findIndex((octet) => octet !== 0);
    return {
      der: der.sequence(tbs, this.#algorithm, der.bitString(signature)),
      serial: toHex(serial.subarray(first)),
    };
  }

  /** The first signature shows whether the key is the issuer's; those in between would show a store that broke since. */
  async #sign(tbs: Uint8Array): Promise<Uint8Array> {
    const signature = await this.#issuer.sign(tbs);
    if (this.#untilCheck > 0) {
      this.#untilCheck -= 1;
      return signature;
    }
    if (!this.#issuerKey.verifies(tbs, signature, CURVES[this.#curve].algorithm)) throw foreignSignature();
    this.#untilCheck = CHECKED_ONE_IN - 1;
    return signature;
  }

  /** Algorithm, issuer and validity. Times are written in whole seconds: one encoding a second. */
  #middleAt(now: number): Uint8Array {
    const { certificate } = this.#issuer;
    const second = Math.floor(now / 1000);
    if (this.#middle?.second === second) return this.#middle.encoded;
    const { notBefore, notAfter } = validityOf(this.#profile, now, certificate);
    const validity = der.sequence(der.time(notBefore), der.time(notAfter));
    const encoded = concatBytes(this.#algorithm, certificate.subject.der, validity);
    this.#middle = { second, encoded };
    return encoded;
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
    const { deviceId, attestation } = request;
    const form = attestation.verdict + (attestation.release === null ? '' : ` ${attestation.release}`);
    const known = this.#prepared.get(form);
    if (known !== undefined) return known;
    const publicKey = request.publicKey.spki;
    const whole: CertificateRequest = { ...request, publicKey, subject: [['CN', deviceId]] };
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

import {
  concatBytes,
  der,
  DER_TAG,
  equalBytes,
  signatureToDer,
  toHex,
  type Entropy,
} from '@sevenfold/formats';

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
import { CURVES, type KeyCurve } from './keys.ts';
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

/** What follows the validity: subject, key and extensions, of some device, and where its own parts stand in it. */
interface Template {
  readonly encoded: Uint8Array;
  readonly deviceIdAt: number;
  readonly spkiAt: number;
  /** The subject's key identifier; the authority's comes after it. */
  readonly keyIdAt: number;
}

const DEVICE_ID = /^[0-9a-f]{64}$/u;
const DIGEST_LENGTH = 32;
/** Tag and length of an element of 256 to 65,535 bytes, as every certificate is. */
const HEAD_LENGTH = 4;
/** A BIT STRING with the DER of a signature on P-384. */
const LONGEST_SIGNATURE = 112;
/** Verdicts and releases that certificates were issued for: more than are ever in the field together. */
const MOST_FORMS = 64;
/** One signature in so many is looked at before it leaves, the first among them (docs/decisions/0011). */
const CHECKED_ONE_IN = 256;

/**
 * Issues certificates of devices as `issueCertificate` does, byte for byte, but encodes what does not differ from one
 * to the next only once: fields are put into encodings that the general encoder has made, in the one piece of memory
 * that a certificate takes.
 */
export class LeafIssuer {
  readonly #profile: Profile;
  readonly #issuer: CertificateIssuer & { readonly certificate: Certificate };
  readonly #issuerKey: PublicKey;
  readonly #curve: KeyCurve;
  readonly #version = der.explicit(0, der.integer(2));
  readonly #algorithm: Uint8Array;
  /** By curve, verdict and release. */
  readonly #templates = new Map<string, Template>();
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
  }

  /** Issues one. Refuses with `BadRequest`, `BadKey`, `BadName` or `BadSignature`. */
  async issue(request: LeafRequest): Promise<IssuedLeaf> {
    this.#check(request);
    const serial = serialNumber(request.entropy);
    const before = [this.#version, der.integer(serial), this.#middleAt(request.now)];
    const template = this.#templateFor(request);
    const room = new Uint8Array(
      2 * HEAD_LENGTH +
        before.reduce((sum, part) => sum + part.length, template.encoded.length) +
        this.#algorithm.length +
        LONGEST_SIGNATURE,
    );
    let end = 2 * HEAD_LENGTH;
    for (const part of before) {
      room.set(part, end);
      end += part.length;
    }
    fill(room.subarray(end, end + template.encoded.length), template, request);
    end += template.encoded.length;
    writeHead(room, HEAD_LENGTH, end - 2 * HEAD_LENGTH);
    const signature = await this.#sign(room.subarray(HEAD_LENGTH, end));
    for (const part of [
      this.#algorithm,
      der.bitString(signatureToDer(signature, CURVES[this.#curve].fieldLength)),
    ]) {
      room.set(part, end);
      end += part.length;
    }
    writeHead(room, 0, end - HEAD_LENGTH);
    return { der: room.subarray(0, end), serial: toHex(serial).replace(/^(?:00)+/u, '') };
  }

  #check({ publicKey, deviceId, attestation }: LeafRequest): void {
    const { curves } = this.#profile;
    if (!curves.some((curve) => curve === publicKey.curve)) {
      throw new PkiError(
        'BadKey',
        `the key is not of the kind that this profile certifies: ${curves.join(' or ')}`,
        { field: 'publicKey', rule: curves.join(' or ') },
      );
    }
    if (!DEVICE_ID.test(deviceId))
      throw new PkiError('BadName', 'this is no device id', { field: 'subject', rule: '64 hex digits' });
    if (attestation.evidenceDigest.length !== DIGEST_LENGTH)
      throw new PkiError('BadExtension', 'the digest has a wrong length', { rule: `${DIGEST_LENGTH} bytes` });
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

  #templateFor(request: LeafRequest): Template {
    const { attestation } = request;
    const { verdict, release } = attestation;
    const form = `${request.publicKey.curve} ${verdict}${release === null ? '' : ` ${release}`}`;
    const known = this.#templates.get(form);
    if (known !== undefined) return known;
    const made = this.#makeTemplate(request);
    if (this.#templates.size >= MOST_FORMS) this.#templates.clear();
    this.#templates.set(form, made);
    return made;
  }

  #makeTemplate(request: LeafRequest): Template {
    const { spki } = request.publicKey;
    const subject = encodeName([['CN', request.deviceId]]);
    const whole: CertificateRequest = { ...request, publicKey: spki, subject: [['CN', request.deviceId]] };
    const extensions = extensionsOf(this.#profile, whole, spki, this.#issuer.certificate);
    const encoded = concatBytes(subject, spki, der.explicit(3, der.sequence(...extensions)));
    return {
      encoded,
      deviceIdAt: subject.length - request.deviceId.length,
      spkiAt: subject.length,
      keyIdAt: placeOf(keyIdentifier(spki), encoded),
    };
  }
}

/** Writes the template into `room` with the parts of this device in their places. */
function fill(
  room: Uint8Array,
  { encoded, deviceIdAt, spkiAt, keyIdAt }: Template,
  request: LeafRequest,
): void {
  const { deviceId, publicKey, attestation } = request;
  room.set(encoded);
  for (let index = 0; index < deviceId.length; index += 1)
    room[deviceIdAt + index] = deviceId.charCodeAt(index);
  room.set(publicKey.spki, spkiAt);
  room.set(keyIdentifier(publicKey.spki), keyIdAt);
  // The digest ends the attestation data, and these end the extensions.
  room.set(attestation.evidenceDigest, encoded.length - DIGEST_LENGTH);
}

/** Writes a SEQUENCE's head into the four bytes at `at`. */
function writeHead(room: Uint8Array, at: number, length: number): void {
  if (length < 0x100 || length > 0xffff)
    throw new PkiError('BadRequest', 'the certificate has an unlikely length', { rule: '256 … 65535 bytes' });
  room.set([DER_TAG.sequence, 0x82, length >> 8, length & 0xff], at);
}

function placeOf(part: Uint8Array, whole: Uint8Array): number {
  for (let start = 0; start + part.length <= whole.length; start += 1)
    if (equalBytes(whole.subarray(start, start + part.length), part)) return start;
  throw new PkiError('BadRequest', 'the extensions name no key', { field: 'subjectKeyIdentifier' });
}

import { concatBytes } from '../bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { cborMap, CborMapReader } from '../cbor-reader.ts';
import { FormatError } from '../errors.ts';
import { utf8Encode } from '../utf8.ts';
import { DEVICE_LIMITS } from './endpoints.ts';
import {
  encodeDeviceId,
  HASH_LENGTH,
  readCertificate,
  readChoice,
  readDeviceId,
  readGuid,
  readLine,
} from './fields.ts';

/** Label of the TLS exporter (RFC 8446 §7.5, RFC 5705): empty context, 32 bytes. */
export const EXPORTER_LABEL = 'EXPERIMENTAL-sevenfold-attestation';
/** First part of what a challenge is the hash of: keeps it apart from anything else that is ever signed. */
export const ATTESTATION_CONTEXT = 'sevenfold attestation v1';

/** A key to be certified, and the proof that the device holds its private half. */
export interface ProvedKey {
  /** SubjectPublicKeyInfo in DER, P-256. */
  readonly spki: Uint8Array;
  /** r‖s (64 bytes), ECDSA with SHA-256 over the 32 bytes of the challenge. */
  readonly proof: Uint8Array;
}

/** What a device sends to be attested. */
export interface AttestRequest {
  /** PSA token: COSE_Sign1 with `PsaClaims`, whose nonce is the challenge. */
  readonly token: Uint8Array;
  /** For the 24-hour certificate with which apps authenticate to the tenant's clouds. */
  readonly clientKey: ProvedKey;
  /** For the certificate with which the device talks to this service. */
  readonly updateKey: ProvedKey;
  /** Present: the challenge is bound to this nonce of the service; absent: to the connection's exporter value. */
  readonly nonce?: Uint8Array | undefined;
}

/** What the service makes of a device's software. */
export const ATTEST_VERDICTS = ['trusted', 'outdated', 'revoked', 'unknown'] as const;
export type AttestVerdict = (typeof ATTEST_VERDICTS)[number];

/** The answer to an attestation of a genuine device. */
export interface AttestReply {
  readonly verdict: AttestVerdict;
  /** For people: what led to the verdict. */
  readonly reasons: readonly string[];
  /** 64 hexadecimal digits. */
  readonly deviceId: string;
  /** The tenant that claimed the device. */
  readonly tenantId: string | null;
  /** DER, leaf first. */
  readonly updateChain: readonly Uint8Array[];
  /** DER, leaf first; only for a trusted device of a tenant. */
  readonly clientChain: readonly Uint8Array[] | null;
  /** The service's time, seconds since 1970. */
  readonly time: number;
  /** Seconds from now until the device should attest again. */
  readonly nextCheck: number;
  /** The OS release that a device must have to be trusted, where it has not. */
  readonly requiredRelease: string | null;
}

/** A nonce of the service, to be used once and soon. */
export interface ChallengeReply {
  readonly nonce: Uint8Array;
  /** Seconds for which it can be used. */
  readonly lifetime: number;
}

const CONTEXT_BYTES = utf8Encode(ATTESTATION_CONTEXT);

const KEY_KEYS = { spki: 1, proof: 2 } as const;
const REQUEST_KEYS = { token: 1, clientKey: 2, updateKey: 3, nonce: 4 } as const;
const REPLY_KEYS = {
  verdict: 1,
  reasons: 2,
  deviceId: 3,
  tenantId: 4,
  updateChain: 5,
  clientChain: 6,
  time: 7,
  nextCheck: 8,
  requiredRelease: 9,
} as const;
const CHALLENGE_KEYS = { nonce: 1, lifetime: 2 } as const;

/**
 * The bytes whose SHA-256 is the challenge: context ‖ binder ‖ SHA-256(client SPKI) ‖ SHA-256(update SPKI).
 * `binder` (32 bytes) is the exporter value of the connection or the service's nonce. All parts have fixed lengths,
 * so that no two inputs run together. Throws `WrongLength`.
 */
export function attestationChallengeInput(
  binder: Uint8Array,
  clientSpkiHash: Uint8Array,
  updateSpkiHash: Uint8Array,
): Uint8Array<ArrayBuffer> {
  for (const [field, part] of Object.entries({ binder, clientSpkiHash, updateSpkiHash })) {
    if (part.length !== HASH_LENGTH) {
      throw new FormatError('WrongLength', `${field} has ${part.length} bytes.`, { field, rule: '32 bytes' });
    }
  }
  return concatBytes(CONTEXT_BYTES, binder, clientSpkiHash, updateSpkiHash);
}

function readKey(reader: CborMapReader<typeof REQUEST_KEYS>, name: 'clientKey' | 'updateKey'): ProvedKey {
  const inner = reader.map(name, KEY_KEYS);
  const key: ProvedKey = {
    spki: inner.bytes('spki', { min: 1, max: DEVICE_LIMITS.maxSpki }),
    proof: inner.bytes('proof', { length: 64 }),
  };
  inner.end();
  return key;
}

export function encodeAttestRequest(request: AttestRequest): Uint8Array<ArrayBuffer> {
  return encodeCbor(
    cborMap(REQUEST_KEYS, {
      token: request.token,
      clientKey: cborMap(KEY_KEYS, { spki: request.clientKey.spki, proof: request.clientKey.proof }),
      updateKey: cborMap(KEY_KEYS, { spki: request.updateKey.spki, proof: request.updateKey.proof }),
      nonce: request.nonce,
    }),
  );
}

/** What it answers are views of `untrusted`, which nobody may write to any more. */
export function decodeAttestRequest(untrusted: Uint8Array): AttestRequest {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.attestRequest, maxDepth: 3, views: true }),
    REQUEST_KEYS,
  );
  const request: AttestRequest = {
    token: reader.bytes('token', { min: 1, max: DEVICE_LIMITS.maxToken }),
    clientKey: readKey(reader, 'clientKey'),
    updateKey: readKey(reader, 'updateKey'),
    nonce: reader.optional('nonce', () => reader.bytes('nonce', { length: HASH_LENGTH })),
  };
  reader.end();
  return request;
}

export function encodeAttestReply(reply: AttestReply): Uint8Array<ArrayBuffer> {
  const chain = (certificates: readonly Uint8Array[]): CborValue => [...certificates];
  return encodeCbor(
    cborMap(REPLY_KEYS, {
      verdict: reply.verdict,
      reasons: [...reply.reasons],
      deviceId: encodeDeviceId(reply.deviceId),
      tenantId: reply.tenantId,
      updateChain: chain(reply.updateChain),
      clientChain: reply.clientChain === null ? null : chain(reply.clientChain),
      time: reply.time,
      nextCheck: reply.nextCheck,
      requiredRelease: reply.requiredRelease,
    }),
  );
}

export function decodeAttestReply(untrusted: Uint8Array): AttestReply {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.attestReply, maxDepth: 3 }),
    REPLY_KEYS,
  );
  const chain = (name: 'updateChain' | 'clientChain'): readonly Uint8Array[] => {
    const certificates = reader.array(name, DEVICE_LIMITS.maxChain, readCertificate);
    if (certificates.length === 0) {
      const field = reader.at(name);
      throw new FormatError('MissingField', `${field} is empty.`, {
        field,
        rule: 'at least one certificate',
      });
    }
    return certificates;
  };
  const reply: AttestReply = {
    verdict: readChoice(reader.value('verdict'), 'verdict', ATTEST_VERDICTS),
    reasons: reader.array('reasons', DEVICE_LIMITS.maxReasons, readLine),
    deviceId: readDeviceId(reader.value('deviceId'), 'deviceId'),
    tenantId: reader.nullable('tenantId', () => readGuid(reader.value('tenantId'), 'tenantId')),
    updateChain: chain('updateChain'),
    clientChain: reader.nullable('clientChain', () => chain('clientChain')),
    time: reader.uint('time'),
    nextCheck: reader.uint('nextCheck'),
    requiredRelease: reader.nullable('requiredRelease', () => reader.text('requiredRelease', 64)),
  };
  reader.end();
  return reply;
}

export function encodeChallengeReply(reply: ChallengeReply): Uint8Array<ArrayBuffer> {
  return encodeCbor(cborMap(CHALLENGE_KEYS, { nonce: reply.nonce, lifetime: reply.lifetime }));
}

export function decodeChallengeReply(untrusted: Uint8Array): ChallengeReply {
  const reader = new CborMapReader(decodeCbor(untrusted, { maxBytes: 128, maxDepth: 1 }), CHALLENGE_KEYS);
  const reply: ChallengeReply = {
    nonce: reader.bytes('nonce', { length: HASH_LENGTH }),
    lifetime: reader.uint('lifetime', { max: 3600 }),
  };
  reader.end();
  return reply;
}

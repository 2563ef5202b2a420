import { concatBytes } from './bytes.ts';
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readBytes } from './cbor-reader.ts';
import { FormatError } from './errors.ts';

/** Signature algorithms of COSE that this system knows (RFC 9053 §2, RFC 9864): name, label, signature length. */
const ALGORITHMS = {
  ES256: { label: -7, signatureLength: 64 },
  ES384: { label: -35, signatureLength: 96 },
  EdDSA: { label: -8, signatureLength: 64 },
} as const;
export type CoseAlgorithm = keyof typeof ALGORITHMS;

/** Header labels of RFC 9052 §3.1. */
const HEADER = { algorithm: 1, critical: 2, contentType: 3, keyId: 4 } as const;
/** Initial byte of tag 18, COSE_Sign1, in its shortest form. */
const TAG_SIGN1 = 0xd2;

/** Bounds of a message; the payload may be as large as the message. */
export interface Sign1Limits {
  /** Length of the whole message in bytes: 64 KiB unless told. */
  readonly maxBytes?: number;
  /** Data that both sides know and the signature covers, though it is not sent (RFC 9052 §4.4): none unless told. */
  readonly externalAad?: Uint8Array;
  /** As in `CborLimits`: payload and signature as views of the message. */
  readonly views?: boolean;
}
const DEFAULT_MAX_BYTES = 64 * 1024;
const MAX_KEY_ID = 128;

/** A COSE_Sign1 message (RFC 9052 §4.2), decoded but not verified. */
export interface Sign1 {
  readonly algorithm: CoseAlgorithm;
  readonly keyId: Uint8Array | null;
  readonly payload: Uint8Array;
  /** r‖s for ECDSA. */
  readonly signature: Uint8Array;
  /** The bytes that the signature is over: Sig_structure of RFC 9052 §4.4. */
  readonly toBeSigned: Uint8Array;
}

function sigStructure(protectedHeader: Uint8Array, payload: Uint8Array, externalAad: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', protectedHeader, externalAad, payload]);
}

function checkSignatureLength(algorithm: CoseAlgorithm, signature: Uint8Array): void {
  const length = ALGORITHMS[algorithm].signatureLength;
  if (signature.length !== length) {
    throw new FormatError('WrongSignatureLength', `A signature of ${algorithm} has ${length} bytes.`, {
      field: 'signature',
      rule: `${length} bytes`,
    });
  }
}

/** A message to be signed. */
export interface Sign1Content {
  readonly algorithm: CoseAlgorithm;
  readonly keyId?: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * Prepares a tagged COSE_Sign1: sign `toBeSigned`, then `finish` gives the message.
 * The key id stands in the unprotected header, as usual: it chooses the key, the signature then proves it.
 */
export function encodeSign1(content: Sign1Content): {
  readonly toBeSigned: Uint8Array;
  finish(signature: Uint8Array): Uint8Array;
} {
  const { algorithm, keyId, payload } = content;
  const protectedHeader = encodeCbor(new Map([[HEADER.algorithm, ALGORITHMS[algorithm].label]]));
  const unprotectedHeader: CborMap = new Map(keyId === undefined ? [] : [[HEADER.keyId, keyId]]);
  return {
    toBeSigned: sigStructure(protectedHeader, payload, new Uint8Array(0)),
    finish(signature) {
      checkSignatureLength(algorithm, signature);
      const message = encodeCbor([protectedHeader, unprotectedHeader, payload, signature]);
      return concatBytes(Uint8Array.of(TAG_SIGN1), message);
    },
  };
}

function isMap(value: CborValue | undefined): value is CborMap {
  return value instanceof Map;
}

/** The protected header, which must say the algorithm and nothing that we do not understand. */
function readProtected(encoded: Uint8Array): { algorithm: CoseAlgorithm; header: CborMap } {
  const header = encoded.length === 0 ? new Map() : decodeCbor(encoded, { maxDepth: 2, anyKeyOrder: true });
  if (!isMap(header)) {
    throw new FormatError('NotSign1', 'The protected header is not a map.', { field: 'protected' });
  }
  const label = header.get(HEADER.algorithm);
  if (label === undefined) {
    throw new FormatError('MissingAlgorithm', 'The protected header names no algorithm.', {
      field: 'protected.alg',
      rule: 'the algorithm stands in the protected header',
    });
  }
  for (const name of Object.keys(ALGORITHMS) as CoseAlgorithm[]) {
    if (ALGORITHMS[name].label === label) return { algorithm: name, header };
  }
  throw new FormatError('UnknownAlgorithm', 'The algorithm in the protected header is not one of ours.', {
    field: 'protected.alg',
    rule: Object.keys(ALGORITHMS).join(', '),
  });
}

function checkLabels(header: CborMap, field: string, allowed: readonly number[]): void {
  for (const label of header.keys()) {
    if (typeof label !== 'number' || !allowed.includes(label)) {
      throw new FormatError('UnsupportedHeader', `The ${field} header has an unsupported label ${label}.`, {
        field: `${field}.${label}`,
        rule: `only ${allowed.join(', ')}`,
      });
    }
  }
}

/**
 * Decodes a COSE_Sign1 message, tagged (18) or bare. Strict: the algorithm only in the protected header, no label
 * but algorithm, content type and key id, none in both headers, payload attached, signature of the right length.
 */
export function decodeSign1(untrusted: Uint8Array, limits: Sign1Limits = {}): Sign1 {
  const { maxBytes = DEFAULT_MAX_BYTES, externalAad = new Uint8Array(0), views = false } = limits;
  const bare = untrusted[0] === TAG_SIGN1 ? untrusted.subarray(1) : untrusted;
  const first = bare[0] ?? 0;
  if (untrusted.length > 0 && first >> 5 !== 4) {
    throw new FormatError('NotSign1', 'This is not a COSE_Sign1 message.', {
      rule: 'tag 18 or none, then an array',
    });
  }
  const message = decodeCbor(bare, { maxBytes, maxDepth: 3, anyKeyOrder: true, views });
  if (!Array.isArray(message) || message.length !== 4) {
    throw new FormatError('NotSign1', 'A COSE_Sign1 message is an array of four.', { rule: 'RFC 9052 §4.2' });
  }
  const [protectedItem = null, unprotected = null, payloadItem = null, signatureItem = null] =
    message as readonly CborValue[];
  const protectedHeader = readBytes(protectedItem, 'protected', { max: 512 });
  const { algorithm, header } = readProtected(protectedHeader);
  if (!isMap(unprotected)) {
    throw new FormatError('NotSign1', 'The unprotected header is not a map.', { field: 'unprotected' });
  }
  checkLabels(header, 'protected', [HEADER.algorithm, HEADER.contentType, HEADER.keyId]);
  checkLabels(unprotected, 'unprotected', header.has(HEADER.keyId) ? [] : [HEADER.keyId]);
  const keyItem = header.get(HEADER.keyId) ?? unprotected.get(HEADER.keyId);
  if (payloadItem === null) {
    throw new FormatError('MissingPayload', 'The message carries no payload.', { field: 'payload' });
  }
  const payload = readBytes(payloadItem, 'payload', { max: maxBytes });
  const signature = readBytes(signatureItem, 'signature', { max: 512 });
  checkSignatureLength(algorithm, signature);
  return {
    algorithm,
    keyId: keyItem === undefined ? null : readBytes(keyItem, 'keyId', { max: MAX_KEY_ID }),
    payload,
    signature,
    toBeSigned: sigStructure(protectedHeader, payload, externalAad),
  };
}

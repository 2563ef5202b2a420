import { IMAGE_TYPES, type ImageTypeName } from './abi/image-types.ts';
import { compareBytes, concatBytes, toHex } from './bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { cborMap, CborMapReader, readBytes, readText } from './cbor-reader.ts';
import { FormatError } from './errors.ts';
import { utf8Encode } from './utf8.ts';

/** A key that a device trusts, and what for. */
export interface KeystoreKey {
  /** SubjectPublicKeyInfo in DER, P-256. */
  readonly spki: Uint8Array;
  /** SHA-1 of `spki`: how packages and plans name their signer. Whoever uses the key checks that it fits. */
  readonly thumbprint: Uint8Array;
  /** A use of `KEY_USES`, or `image:` and the name of an image type: see `imageUse`. */
  readonly uses: readonly string[];
  /** SubjectPublicKeyInfo of an ML-DSA-65 key: makes the second signature of whatever image this key signs. */
  readonly secondSpki?: Uint8Array;
}

/** What a key may sign besides images: plans; capabilities of one device; apps on devices under development. */
export const KEY_USES = ['plan', 'capability', 'development'] as const;

/** How a key that was replaced hands over what was sealed to its authority: by its own signature over its successor. */
export interface KeySuccession {
  /** SubjectPublicKeyInfo of the key that hands over, DER, P-256. */
  readonly from: Uint8Array;
  /** SHA-256 of the SubjectPublicKeyInfo of the key that takes over. */
  readonly to: Uint8Array;
  /** r‖s of `from` over `successionStatement(to)`. */
  readonly signature: Uint8Array;
}

/** What a key signs that hands over to the one whose SPKI has this SHA-256. No image and no plan begins like that. */
export const successionStatement = (to: Uint8Array): Uint8Array =>
  concatBytes(utf8Encode('sevenfold key succession v1\0'), to);

/** Payload of a TrustedKeystore image: which keys sign what. */
export interface TrustedKeystore {
  /** Grows with each keystore; the same as its image's security version, so that a fused counter follows it. */
  readonly version: number;
  /** The root key whose hash is fused; it signs keystores and nothing else. */
  readonly rootSpki: Uint8Array;
  /** ML-DSA-65 key of the root, where there is one: the hash that is fused is then that of both, see `rootKeyBytes`. */
  readonly secondRootSpki?: Uint8Array;
  readonly keys: readonly KeystoreKey[];
  /** SHA-256 of what the signatures of an image cover (`signedBytesOf`): images that must not run any more. */
  readonly revokedImageDigests: readonly Uint8Array[];
  /** Says nothing of what runs, only of which sealed boxes open under it. */
  readonly successions?: readonly KeySuccession[];
}

/** Where a device finds its service. */
export interface ServiceEndpoint {
  /** Host name or IP address to connect to. */
  readonly host: string;
  readonly port: number;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
}

/** Payload of an UpdateCertStore image: which services a device talks to, and which roots it trusts for that. */
export interface CertStore {
  /** In the order in which they are tried. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** X.509 certificates in DER. */
  readonly tlsRoots: readonly Uint8Array[];
  /**
   * The rule for devices that may be without their service for long: a new OS that has run for so many seconds counts as
   * healthy, whether it reached its service or not. Absent: only an attestation says so.
   */
  readonly healthyAfter?: number;
}

/** Bounds of both documents. */
export const KEYSTORE_LIMITS = {
  maxBytes: 32 * 1024,
  maxKeys: 32,
  maxUses: 32,
  maxRevoked: 512,
  maxSuccessions: 32,
  maxSpki: 512,
  maxSecondSpki: 2048,
  maxEndpoints: 8,
  maxRoots: 8,
  maxCertificate: 4096,
} as const;
const LIMITS = KEYSTORE_LIMITS;

const KEYSTORE_KEYS = {
  version: 1,
  rootSpki: 2,
  keys: 3,
  revokedImageDigests: 4,
  secondRootSpki: 5,
  successions: 6,
} as const;
const SUCCESSION_KEYS = { from: 1, to: 2, signature: 3 } as const;
const KEY_KEYS = { spki: 1, thumbprint: 2, uses: 3, secondSpki: 4 } as const;
const CERT_STORE_KEYS = { endpoints: 1, tlsRoots: 2, healthyAfter: 3 } as const;
/** Of `healthyAfter`, in seconds: a trial that takes an hour is over by itself. */
const HEALTHY_AFTER = { min: 60, max: 3000 } as const;
const ENDPOINT_KEYS = { host: 1, port: 2, serverName: 3 } as const;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(IMAGE_TYPES).map(([name, value]) => [value, name]),
);

/** The name of an image type (`PlutonRuntime`), or `null` for a number that is none. */
export function imageTypeName(imageType: number): ImageTypeName | null {
  const name = TYPE_NAMES.get(imageType);
  return name === undefined ? null : (name as ImageTypeName);
}

/** The use that a key must have to sign images of a type: `image:PlutonRuntime`. Throws `UnknownImageType`. */
export function imageUse(imageType: number): string {
  const name = imageTypeName(imageType);
  if (name === null) throw new FormatError('UnknownImageType', `There is no image type ${imageType}.`);
  return `image:${name}`;
}

function readUse(value: CborValue, field: string): string {
  const use = readText(value, field, 64);
  const known =
    KEY_USES.some((name) => name === use) ||
    (use.startsWith('image:') && Object.hasOwn(IMAGE_TYPES, use.slice(6)));
  if (!known) {
    throw new FormatError('ValueOutOfRange', `${JSON.stringify(use)} is not a use of a key.`, {
      field,
      rule: `${KEY_USES.join(', ')}, or image: and the name of an image type`,
    });
  }
  return use;
}

/** Refuses a list whose entries, as texts, are not all different. */
function checkUnique(texts: readonly string[], field: string): void {
  if (new Set(texts).size !== texts.length) {
    throw new FormatError('DuplicateEntry', `${field} holds an entry twice.`, { field, rule: 'each once' });
  }
}

/** Encodes a keystore; what it would refuse to decode is refused here already. */
export function encodeKeystore(keystore: TrustedKeystore): Uint8Array<ArrayBuffer> {
  const encoded = encodeCbor(
    cborMap(KEYSTORE_KEYS, {
      version: keystore.version,
      rootSpki: keystore.rootSpki,
      keys: keystore.keys.map((key) =>
        cborMap(KEY_KEYS, {
          spki: key.spki,
          thumbprint: key.thumbprint,
          uses: [...key.uses],
          secondSpki: key.secondSpki,
        }),
      ),
      revokedImageDigests: keystore.revokedImageDigests.toSorted(compareBytes),
      secondRootSpki: keystore.secondRootSpki,
      successions: keystore.successions?.map((succession) => cborMap(SUCCESSION_KEYS, { ...succession })),
    }),
  );
  decodeKeystore(encoded);
  return encoded;
}

/** Decodes the content of a TrustedKeystore image. */
export function decodeKeystore(untrusted: Uint8Array): TrustedKeystore {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: LIMITS.maxBytes, maxDepth: 5 }),
    KEYSTORE_KEYS,
  );
  const keystore: TrustedKeystore = {
    version: reader.uint('version', { max: 0xffffffff }),
    rootSpki: reader.bytes('rootSpki', { min: 1, max: LIMITS.maxSpki }),
    keys: reader.array('keys', LIMITS.maxKeys, readKey),
    revokedImageDigests: reader.array('revokedImageDigests', LIMITS.maxRevoked, (item, field) =>
      readBytes(item, field, { length: 32 }),
    ),
    ...secondOf(reader, 'secondRootSpki'),
    ...(reader.has('successions') && {
      successions: reader.array('successions', LIMITS.maxSuccessions, readSuccession),
    }),
  };
  reader.end();
  checkUnique(
    keystore.keys.map((key) => toHex(key.thumbprint)),
    'keys',
  );
  for (const [index, digest] of keystore.revokedImageDigests.entries()) {
    const previous = keystore.revokedImageDigests[index - 1];
    if (previous !== undefined && compareBytes(previous, digest) >= 0) {
      const field = `revokedImageDigests.${index}`;
      throw new FormatError('NotSorted', `${field} is out of order.`, {
        field,
        rule: 'ascending, each once',
      });
    }
  }
  return keystore;
}

/** An ML-DSA-65 key, where the map has one. */
function secondOf<Name extends 'secondSpki' | 'secondRootSpki'>(
  reader: CborMapReader<Readonly<Record<Name, number>>>,
  name: Name,
): { readonly [key in Name]?: Uint8Array } {
  if (!reader.has(name)) return {};
  const spki = reader.bytes(name, { min: 1, max: LIMITS.maxSecondSpki });
  return { [name]: spki } as { readonly [key in Name]?: Uint8Array };
}

/** What is hashed into the fuses: the root's key, or both of its keys. */
export function rootKeyBytes({
  rootSpki,
  secondRootSpki = new Uint8Array(0),
}: Pick<TrustedKeystore, 'rootSpki' | 'secondRootSpki'>): Uint8Array {
  return concatBytes(rootSpki, secondRootSpki);
}

function readSuccession(value: CborValue, field: string): KeySuccession {
  const reader = new CborMapReader(value, SUCCESSION_KEYS, field);
  const succession = {
    from: reader.bytes('from', { min: 1, max: LIMITS.maxSpki }),
    to: reader.bytes('to', { length: 32 }),
    signature: reader.bytes('signature', { length: 64 }),
  };
  reader.end();
  return succession;
}

function readKey(value: CborValue, field: string): KeystoreKey {
  const reader = new CborMapReader(value, KEY_KEYS, field);
  const key: KeystoreKey = {
    spki: reader.bytes('spki', { min: 1, max: LIMITS.maxSpki }),
    thumbprint: reader.bytes('thumbprint', { length: 20 }),
    uses: reader.array('uses', LIMITS.maxUses, readUse),
    ...secondOf(reader, 'secondSpki'),
  };
  reader.end();
  checkUnique(key.uses, reader.at('uses'));
  return key;
}

/** Encodes a cert store; what it would refuse to decode is refused here already. */
export function encodeCertStore(store: CertStore): Uint8Array<ArrayBuffer> {
  const encoded = encodeCbor(
    cborMap(CERT_STORE_KEYS, {
      endpoints: store.endpoints.map(({ host, port, serverName }) =>
        cborMap(ENDPOINT_KEYS, { host, port, serverName }),
      ),
      tlsRoots: [...store.tlsRoots],
      healthyAfter: store.healthyAfter,
    }),
  );
  decodeCertStore(encoded);
  return encoded;
}

/** Decodes the content of an UpdateCertStore image. */
export function decodeCertStore(untrusted: Uint8Array): CertStore {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: LIMITS.maxBytes, maxDepth: 4 }),
    CERT_STORE_KEYS,
  );
  const store: CertStore = {
    endpoints: reader.array('endpoints', LIMITS.maxEndpoints, readEndpoint),
    tlsRoots: reader.array('tlsRoots', LIMITS.maxRoots, (item, field) =>
      readBytes(item, field, { min: 1, max: LIMITS.maxCertificate }),
    ),
    ...(reader.has('healthyAfter') && { healthyAfter: reader.uint('healthyAfter', HEALTHY_AFTER) }),
  };
  reader.end();
  return store;
}

function readHost(reader: CborMapReader<typeof ENDPOINT_KEYS>, name: 'host' | 'serverName'): string {
  const host = reader.text(name, 253);
  if (!/^[A-Za-z0-9.:-]+$/.test(host)) {
    const field = reader.at(name);
    throw new FormatError('ValueOutOfRange', `${field} is not a host name or an IP address.`, {
      field,
      rule: 'letters, digits, dots, hyphens and colons',
    });
  }
  return host;
}

function readEndpoint(value: CborValue, field: string): ServiceEndpoint {
  const reader = new CborMapReader(value, ENDPOINT_KEYS, field);
  const endpoint: ServiceEndpoint = {
    host: readHost(reader, 'host'),
    port: reader.uint('port', { min: 1, max: 65535 }),
    serverName: readHost(reader, 'serverName'),
  };
  reader.end();
  return endpoint;
}

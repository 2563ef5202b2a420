import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { cborMap, CborMapReader } from './cbor-reader.ts';
import { FormatError } from './errors.ts';

/** One piece of software that was measured while the device booted (RFC 9783 §4.4.1). */
export interface SoftwareComponent {
  /** In our tokens the name of the image type: `PlutonRuntime`. */
  readonly measurementType?: string;
  /** In our tokens SHA-256 of the whole image package. */
  readonly measurementValue: Uint8Array;
  /** In our tokens `<image name>;sv=<security version>`. */
  readonly version?: string;
  /** Hash of the signer's public key. */
  readonly signerId: Uint8Array;
  /** Name of the hash of `measurementValue`: `sha-256`. */
  readonly measurementDescription?: string;
}

/** The claims of a PSA attestation token (RFC 9783 §4). */
export interface PsaClaims {
  /** One of `PSA_PROFILES`. */
  readonly profile: string;
  /** The challenge: 32, 48 or 64 bytes. */
  readonly nonce: Uint8Array;
  /** 33 bytes: 0x01 and the hash of the attestation key (the device id). */
  readonly instanceId: Uint8Array;
  /** 32 bytes: the immutable root of trust, for us the chip SKU. */
  readonly implementationId: Uint8Array;
  /** Caller on the device: positive in the secure world. */
  readonly clientId: number;
  /** See `securityLifecycleState`. */
  readonly securityLifecycle: number;
  /** Random of this boot: 8 to 32 bytes. */
  readonly bootSeed?: Uint8Array;
  readonly certificationReference?: string;
  readonly softwareComponents: readonly SoftwareComponent[];
  readonly verificationServiceIndicator?: string;
}

/** Profiles that are accepted; the first is the one that our devices emit. */
export const PSA_PROFILES = ['tag:psacertified.org,2023:psa#tfm', 'http://arm.com/psa/2.0.0'] as const;

const CLAIM_KEYS = {
  nonce: 10,
  instanceId: 256,
  profile: 265,
  clientId: 2394,
  securityLifecycle: 2395,
  implementationId: 2396,
  bootSeed: 2397,
  certificationReference: 2398,
  softwareComponents: 2399,
  verificationServiceIndicator: 2400,
} as const;

const COMPONENT_KEYS = {
  measurementType: 1,
  measurementValue: 2,
  version: 4,
  signerId: 5,
  measurementDescription: 6,
} as const;

const MAX_TOKEN = 16 * 1024;
const MAX_COMPONENTS = 32;
const MAX_TEXT = 256;

const LIFECYCLE_STATES = [
  'unknown',
  'assembly-and-test',
  'psa-rot-provisioning',
  'secured',
  'non-psa-rot-debug',
  'recoverable-psa-rot-debug',
  'decommissioned',
] as const;
export type SecurityLifecycleState = (typeof LIFECYCLE_STATES)[number];

/** The state that a security lifecycle value stands for (RFC 9783 §4.3.1), or `null` for a value that is none. */
export function securityLifecycleState(value: number): SecurityLifecycleState | null {
  // The low byte is the implementer's own; the state is in the high nibble.
  return (value & 0x0f00) === 0 && value <= 0x60ff ? (LIFECYCLE_STATES[value >> 12] ?? null) : null;
}

/** Encodes claims; what could not be decoded again is refused here already. */
export function encodePsaClaims(claims: PsaClaims): Uint8Array<ArrayBuffer> {
  const encoded = encodeCbor(
    cborMap(CLAIM_KEYS, {
      nonce: claims.nonce,
      instanceId: claims.instanceId,
      profile: claims.profile,
      clientId: claims.clientId,
      securityLifecycle: claims.securityLifecycle,
      implementationId: claims.implementationId,
      bootSeed: claims.bootSeed,
      certificationReference: claims.certificationReference,
      softwareComponents: claims.softwareComponents.map((component) =>
        cborMap(COMPONENT_KEYS, {
          measurementType: component.measurementType,
          measurementValue: component.measurementValue,
          version: component.version,
          signerId: component.signerId,
          measurementDescription: component.measurementDescription,
        }),
      ),
      verificationServiceIndicator: claims.verificationServiceIndicator,
    }),
  );
  decodePsaClaims(encoded);
  return encoded;
}

/** A hash of SHA-256, SHA-384 or SHA-512 (psa-hash-type). */
function readHash<Keys extends Readonly<Record<string, number>>>(
  reader: CborMapReader<Keys>,
  name: keyof Keys & string,
): Uint8Array {
  const hash = reader.bytes(name, { min: 32, max: 64 });
  if (hash.length !== 32 && hash.length !== 48 && hash.length !== 64) {
    const field = reader.at(name);
    throw new FormatError('WrongLength', `${field} has ${hash.length} bytes.`, {
      field,
      rule: '32, 48 or 64 bytes',
    });
  }
  return hash;
}

function readComponent(value: CborValue, path: string): SoftwareComponent {
  const reader = new CborMapReader(value, COMPONENT_KEYS, path);
  const measurementType = reader.optional('measurementType', () => reader.text('measurementType', MAX_TEXT));
  const version = reader.optional('version', () => reader.text('version', MAX_TEXT));
  const description = reader.optional('measurementDescription', () =>
    reader.text('measurementDescription', MAX_TEXT),
  );
  const component: SoftwareComponent = {
    ...(measurementType === undefined ? {} : { measurementType }),
    measurementValue: readHash(reader, 'measurementValue'),
    ...(version === undefined ? {} : { version }),
    signerId: readHash(reader, 'signerId'),
    ...(description === undefined ? {} : { measurementDescription: description }),
  };
  reader.end();
  return component;
}

type ClaimReader = CborMapReader<typeof CLAIM_KEYS>;

function readProfile(reader: ClaimReader): string {
  const profile = reader.text('profile', MAX_TEXT);
  if (!PSA_PROFILES.some((known) => known === profile)) {
    throw new FormatError('UnknownProfile', `The token follows the profile ${JSON.stringify(profile)}.`, {
      field: 'profile',
      rule: PSA_PROFILES.join(' or '),
    });
  }
  return profile;
}

function readInstanceId(reader: ClaimReader): Uint8Array {
  const instanceId = reader.bytes('instanceId', { length: 33 });
  if (instanceId[0] !== 0x01) {
    throw new FormatError('InvalidInstanceId', 'The instance id is not of the type RAND.', {
      field: 'instanceId',
      rule: 'first byte 01 (RFC 9783 §4.2.1)',
    });
  }
  return instanceId;
}

function readLifecycle(reader: ClaimReader): number {
  const value = reader.uint('securityLifecycle', { max: 0xffff });
  if (securityLifecycleState(value) === null) {
    throw new FormatError('ValueOutOfRange', `${value} is not a security lifecycle state.`, {
      field: 'securityLifecycle',
      rule: 'RFC 9783 §4.3.1',
    });
  }
  return value;
}

function readCertificationReference(reader: ClaimReader): string {
  const reference = reader.text('certificationReference', 19);
  if (!/^\d{13}-\d{5}$/.test(reference)) {
    throw new FormatError('ValueOutOfRange', 'The certification reference is no EAN-13 with a version.', {
      field: 'certificationReference',
      rule: '13 digits, hyphen, 5 digits',
    });
  }
  return reference;
}

function readIndicator(reader: ClaimReader): string {
  const indicator = reader.text('verificationServiceIndicator', MAX_TEXT);
  if (indicator === '') {
    throw new FormatError('ValueOutOfRange', 'The verification service indicator is empty.', {
      field: 'verificationServiceIndicator',
      rule: 'a URL or a name, not empty',
    });
  }
  return indicator;
}

/**
 * Decodes the payload of a PSA token; the signature around it is `decodeSign1`'s. Strict about claims and their
 * shapes, but keys may stand in any order, since the tokens of real chips do.
 */
export function decodePsaClaims(untrusted: Uint8Array): PsaClaims {
  const decoded = decodeCbor(untrusted, { maxBytes: MAX_TOKEN, maxDepth: 4, anyKeyOrder: true });
  const reader = new CborMapReader(decoded, CLAIM_KEYS);
  const profile = readProfile(reader);
  const bootSeed = reader.optional('bootSeed', () => reader.bytes('bootSeed', { min: 8, max: 32 }));
  const reference = reader.optional('certificationReference', () => readCertificationReference(reader));
  const indicator = reader.optional('verificationServiceIndicator', () => readIndicator(reader));
  const claims: PsaClaims = {
    profile,
    nonce: readHash(reader, 'nonce'),
    instanceId: readInstanceId(reader),
    implementationId: reader.bytes('implementationId', { length: 32 }),
    clientId: reader.uint('clientId', { min: -0x80000000, max: 0x7fffffff }),
    securityLifecycle: readLifecycle(reader),
    ...(bootSeed === undefined ? {} : { bootSeed }),
    ...(reference === undefined ? {} : { certificationReference: reference }),
    softwareComponents: reader.array('softwareComponents', MAX_COMPONENTS, readComponent),
    ...(indicator === undefined ? {} : { verificationServiceIndicator: indicator }),
  };
  if (claims.softwareComponents.length === 0) {
    throw new FormatError('MissingField', 'The token lists no software component.', {
      field: 'softwareComponents',
      rule: 'at least one',
    });
  }
  reader.end();
  return claims;
}

import { type CborLimits, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { cborMap, CborMapReader } from './cbor-reader.ts';
import { FormatError } from './errors.ts';

/** One piece of software that was measured while the device booted (RFC 9783 §4.4.1). */
export interface SoftwareComponent {
  /** In our tokens the name of the image type: `PlutonRuntime`. */
  readonly measurementType?: string | undefined;
  /** In our tokens SHA-256 of the whole image package. */
  readonly measurementValue: Uint8Array;
  /** In our tokens `<image name>;sv=<security version>`. */
  readonly version?: string | undefined;
  /** Hash of the signer's public key. */
  readonly signerId: Uint8Array;
  /** Name of the hash of `measurementValue`: `sha-256`. */
  readonly measurementDescription?: string | undefined;
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
  /** Empty only in `PSA_IOT_PROFILE_1`, which can say that nothing was measured. */
  readonly softwareComponents: readonly SoftwareComponent[];
  readonly verificationServiceIndicator?: string;
}

/** Profiles that are accepted; the first is the one that our devices emit. */
export const PSA_PROFILES = [
  'tag:psacertified.org,2023:psa#tfm',
  'http://arm.com/psa/2.0.0',
  'PSA_IOT_PROFILE_1',
] as const;
/** The oldest: numbers of its own for the claims, and it need not say its name. */
const PROFILE_1 = PSA_PROFILES[2];

type ClaimName = keyof PsaClaims;

const CLAIM_KEYS: Readonly<Record<ClaimName, number>> = {
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
};

/** The claims as `PSA_IOT_PROFILE_1` numbers them (RFC 9783 §4.6.2). */
const PROFILE_1_KEYS: Readonly<Record<ClaimName | 'noSoftwareMeasurements', number>> = {
  profile: -75000,
  clientId: -75001,
  securityLifecycle: -75002,
  implementationId: -75003,
  bootSeed: -75004,
  certificationReference: -75005,
  softwareComponents: -75006,
  noSoftwareMeasurements: -75007,
  nonce: -75008,
  instanceId: -75009,
  verificationServiceIndicator: -75010,
};

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
  const { softwareComponents, ...plain } = claims;
  const components = softwareComponents.map((component) =>
    cborMap(COMPONENT_KEYS, {
      measurementType: component.measurementType,
      measurementValue: component.measurementValue,
      version: component.version,
      signerId: component.signerId,
      measurementDescription: component.measurementDescription,
    }),
  );
  const fields = {
    nonce: plain.nonce,
    instanceId: plain.instanceId,
    profile: plain.profile,
    clientId: plain.clientId,
    securityLifecycle: plain.securityLifecycle,
    implementationId: plain.implementationId,
    bootSeed: plain.bootSeed,
    certificationReference: plain.certificationReference,
    verificationServiceIndicator: plain.verificationServiceIndicator,
  };
  const isEmpty = components.length === 0;
  const encoded = encodeCbor(
    plain.profile === PROFILE_1
      ? cborMap(PROFILE_1_KEYS, {
          ...fields,
          softwareComponents: isEmpty ? undefined : components,
          noSoftwareMeasurements: isEmpty ? 1 : undefined,
        })
      : cborMap(CLAIM_KEYS, { ...fields, softwareComponents: components }),
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

function readOptionalText<Keys extends Readonly<Record<string, number>>>(
  reader: CborMapReader<Keys>,
  name: keyof Keys & string,
): string | undefined {
  return reader.has(name) ? reader.text(name, MAX_TEXT) : undefined;
}

function readComponent(value: CborValue, path: string): SoftwareComponent {
  const reader = new CborMapReader(value, COMPONENT_KEYS, path);
  const component: SoftwareComponent = {
    measurementType: readOptionalText(reader, 'measurementType'),
    measurementValue: readHash(reader, 'measurementValue'),
    version: readOptionalText(reader, 'version'),
    signerId: readHash(reader, 'signerId'),
    measurementDescription: readOptionalText(reader, 'measurementDescription'),
  };
  reader.end();
  return component;
}

/** Both numberings of the claims have these names. */
type ClaimReader = CborMapReader<Readonly<Record<ClaimName, number>>>;

function unknownProfile(profile: string, accepted: readonly string[]): FormatError {
  return new FormatError('UnknownProfile', `The token follows the profile ${JSON.stringify(profile)}.`, {
    field: 'profile',
    rule: accepted.join(' or '),
  });
}

function readProfile(reader: ClaimReader): string {
  const accepted = PSA_PROFILES.filter((known) => known !== PROFILE_1);
  const profile = reader.text('profile', MAX_TEXT);
  if (!accepted.some((known) => known === profile)) throw unknownProfile(profile, accepted);
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

function readCertificationReference(reader: ClaimReader, form: RegExp, rule: string): string {
  const reference = reader.text('certificationReference', 19);
  if (!form.test(reference)) {
    throw new FormatError('ValueOutOfRange', 'The certification reference has not the form of one.', {
      field: 'certificationReference',
      rule,
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

function noComponents(): FormatError {
  return new FormatError('MissingField', 'The token lists no software component.', {
    field: 'softwareComponents',
    rule: 'at least one',
  });
}

/** What both numberings have in common. */
function readCommon(reader: ClaimReader): Omit<PsaClaims, 'profile' | 'softwareComponents'> {
  const indicator = reader.optional('verificationServiceIndicator', () => readIndicator(reader));
  return {
    nonce: readHash(reader, 'nonce'),
    instanceId: readInstanceId(reader),
    implementationId: reader.bytes('implementationId', { length: 32 }),
    clientId: reader.uint('clientId', { min: -0x80000000, max: 0x7fffffff }),
    securityLifecycle: readLifecycle(reader),
    ...(indicator === undefined ? {} : { verificationServiceIndicator: indicator }),
  };
}

/** RFC 9783 itself, and what Trusted Firmware-M emitted before it with the same numbers. */
function readNumbered(decoded: CborValue): PsaClaims {
  const reader = new CborMapReader(decoded, CLAIM_KEYS);
  const profile = readProfile(reader);
  const bootSeed = reader.optional('bootSeed', () => reader.bytes('bootSeed', { min: 8, max: 32 }));
  const reference = reader.optional('certificationReference', () =>
    readCertificationReference(reader, /^\d{13}-\d{5}$/, '13 digits, hyphen, 5 digits'),
  );
  const claims: PsaClaims = {
    profile,
    ...readCommon(reader),
    ...(bootSeed === undefined ? {} : { bootSeed }),
    ...(reference === undefined ? {} : { certificationReference: reference }),
    softwareComponents: reader.array('softwareComponents', MAX_COMPONENTS, readComponent),
  };
  if (claims.softwareComponents.length === 0) throw noComponents();
  reader.end();
  return claims;
}

/** `PSA_IOT_PROFILE_1`: the boot seed is a must, the profile's name is not, and nothing may have been measured. */
function readProfile1(decoded: CborValue): PsaClaims {
  const reader = new CborMapReader(decoded, PROFILE_1_KEYS);
  const profile = reader.optional('profile', () => reader.text('profile', MAX_TEXT)) ?? PROFILE_1;
  if (profile !== PROFILE_1) throw unknownProfile(profile, [PROFILE_1]);
  const reference = reader.optional('certificationReference', () =>
    readCertificationReference(reader, /^\d{13}(-\d{5})?$/, '13 digits, or those, hyphen, 5 digits'),
  );
  const measured = reader.optional('softwareComponents', () =>
    reader.array('softwareComponents', MAX_COMPONENTS, readComponent),
  );
  const nothing = reader.optional('noSoftwareMeasurements', () =>
    reader.uint('noSoftwareMeasurements', { min: 1, max: 1 }),
  );
  // One of the two, never both and never neither (RFC 9783 §4.6.2).
  if ((measured === undefined) === (nothing === undefined) || measured?.length === 0) throw noComponents();
  const claims: PsaClaims = {
    profile,
    ...readCommon(reader),
    bootSeed: reader.bytes('bootSeed', { length: 32 }),
    ...(reference === undefined ? {} : { certificationReference: reference }),
    softwareComponents: measured ?? [],
  };
  reader.end();
  return claims;
}

/** Whether the claims have the numbers of `PSA_IOT_PROFILE_1`: its name itself is optional. */
function isProfile1(decoded: CborValue): boolean {
  if (!(decoded instanceof Map) || decoded.has(CLAIM_KEYS.profile)) return false;
  return Object.values(PROFILE_1_KEYS).some((key) => decoded.has(key));
}

/**
 * Decodes the payload of a PSA token; the signature around it is `decodeSign1`'s. Strict about claims and their
 * shapes, but keys may stand in any order, since the tokens of real chips do.
 */
export function decodePsaClaims(untrusted: Uint8Array, limits: Pick<CborLimits, 'views'> = {}): PsaClaims {
  const decoded = decodeCbor(untrusted, {
    maxBytes: MAX_TOKEN,
    maxDepth: 4,
    anyKeyOrder: true,
    ...limits,
  });
  return isProfile1(decoded) ? readProfile1(decoded) : readNumbered(decoded);
}

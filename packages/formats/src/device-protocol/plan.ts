import { IMAGE_TYPES } from '../abi/image-types.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { cborMap, CborMapReader } from '../cbor-reader.ts';
import { FormatError } from '../errors.ts';
import { MAX_IMAGE_PACKAGE_LENGTH } from '../image-package.ts';
import { DEVICE_LIMITS } from './endpoints.ts';
import { encodeDeviceId, HASH_LENGTH, readDeviceId, readGuid, readLine } from './fields.ts';

/** One image that a device has. */
export interface PresentImage {
  /** Value of `IMAGE_TYPES`. */
  readonly imageType: number;
  readonly componentId: string;
  readonly imageId: string;
  /** SHA-256 of the whole image package. */
  readonly digest: Uint8Array;
}

/** What a device says when it asks what to run. */
export interface PlanRequest {
  /** 32 fresh random bytes: the plan repeats them. */
  readonly nonce: Uint8Array;
  readonly images: readonly PresentImage[];
  readonly osVersion?: string;
  /** Lines for people: what went wrong with updates and at boot. */
  readonly failures: readonly string[];
}

/** One image that a device should have. */
export interface PlanImage extends PresentImage {
  /** Bytes of the image package. */
  readonly size: number;
  readonly name: string;
}

/** What a device should run. Payload of a COSE_Sign1 by a keystore key of use `plan`. */
export interface PlanPayload {
  /** The nonce of the request. */
  readonly nonce: Uint8Array;
  /** 64 hexadecimal digits. */
  readonly deviceId: string;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** Seconds from now until the device should ask again. */
  readonly nextCheck: number;
  /** Name of the OS release that the system images make up. */
  readonly release: string | null;
  /** What should be installed; what the request names as present may be left out. */
  readonly images: readonly PlanImage[];
  /** Components that should not be there any more. */
  readonly removeComponents: readonly string[];
}

const REQUEST_KEYS = { nonce: 1, images: 2, osVersion: 3, failures: 4 } as const;
const PAYLOAD_KEYS = {
  nonce: 1,
  deviceId: 2,
  issuedAt: 3,
  nextCheck: 4,
  release: 5,
  images: 6,
  removeComponents: 7,
} as const;
const IMAGE_KEYS = { imageType: 1, componentId: 2, imageId: 3, digest: 4, size: 5, name: 6 } as const;

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(IMAGE_TYPES));

function readImageType(reader: CborMapReader<typeof IMAGE_KEYS>): number {
  const imageType = reader.uint('imageType', { max: 0xffff });
  if (!KNOWN_TYPES.has(imageType)) {
    throw new FormatError('UnknownImageType', `There is no image type ${imageType}.`, {
      field: reader.at('imageType'),
    });
  }
  return imageType;
}

function presentFields(reader: CborMapReader<typeof IMAGE_KEYS>): PresentImage {
  return {
    imageType: readImageType(reader),
    componentId: readGuid(reader.value('componentId'), reader.at('componentId')),
    imageId: readGuid(reader.value('imageId'), reader.at('imageId')),
    digest: reader.bytes('digest', { length: HASH_LENGTH }),
  };
}

const PRESENT_KEYS = { imageType: 1, componentId: 2, imageId: 3, digest: 4 } as const;

function readPresentImage(value: CborValue, path: string): PresentImage {
  new CborMapReader(value, PRESENT_KEYS, path).end();
  return presentFields(new CborMapReader(value, IMAGE_KEYS, path));
}

function readPlanImage(value: CborValue, path: string): PlanImage {
  const reader = new CborMapReader(value, IMAGE_KEYS, path);
  const image: PlanImage = {
    ...presentFields(reader),
    size: reader.uint('size', { min: 1, max: MAX_IMAGE_PACKAGE_LENGTH }),
    name: reader.text('name', 64),
  };
  reader.end();
  return image;
}

export function encodePlanRequest(request: PlanRequest): Uint8Array<ArrayBuffer> {
  return encodeCbor(
    cborMap(REQUEST_KEYS, {
      nonce: request.nonce,
      images: request.images.map(({ imageType, componentId, imageId, digest }) =>
        cborMap(PRESENT_KEYS, { imageType, componentId, imageId, digest }),
      ),
      osVersion: request.osVersion,
      failures: [...request.failures],
    }),
  );
}

export function decodePlanRequest(untrusted: Uint8Array): PlanRequest {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.planRequest, maxDepth: 3 }),
    REQUEST_KEYS,
  );
  const osVersion = reader.optional('osVersion', () => reader.text('osVersion', 64));
  const request: PlanRequest = {
    nonce: reader.bytes('nonce', { length: HASH_LENGTH }),
    images: reader.array('images', DEVICE_LIMITS.maxImages, readPresentImage),
    ...(osVersion === undefined ? {} : { osVersion }),
    failures: reader.array('failures', DEVICE_LIMITS.maxLogLines, readLine),
  };
  reader.end();
  return request;
}

export function encodePlanPayload(plan: PlanPayload): Uint8Array<ArrayBuffer> {
  return encodeCbor(
    cborMap(PAYLOAD_KEYS, {
      nonce: plan.nonce,
      deviceId: encodeDeviceId(plan.deviceId),
      issuedAt: plan.issuedAt,
      nextCheck: plan.nextCheck,
      release: plan.release,
      images: plan.images.map(({ imageType, componentId, imageId, digest, size, name }) =>
        cborMap(IMAGE_KEYS, { imageType, componentId, imageId, digest, size, name }),
      ),
      removeComponents: [...plan.removeComponents],
    }),
  );
}

/** Decodes the payload of a plan. Its signature, nonce and device id are the caller's to check, in this order. */
export function decodePlanPayload(untrusted: Uint8Array): PlanPayload {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.plan, maxDepth: 3 }),
    PAYLOAD_KEYS,
  );
  const plan: PlanPayload = {
    nonce: reader.bytes('nonce', { length: HASH_LENGTH }),
    deviceId: readDeviceId(reader.value('deviceId'), 'deviceId'),
    issuedAt: reader.uint('issuedAt'),
    nextCheck: reader.uint('nextCheck'),
    release: reader.nullable('release', () => reader.text('release', 64)),
    images: reader.array('images', DEVICE_LIMITS.maxImages, readPlanImage),
    removeComponents: reader.array('removeComponents', DEVICE_LIMITS.maxImages, readGuid),
  };
  reader.end();
  return plan;
}

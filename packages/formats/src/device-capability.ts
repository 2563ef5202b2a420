import { CborMapReader, cborMap, readText } from './cbor-reader.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';

/**
 * What one device may be unlocked for (azure-sphere.md §6.8), and what each does:
 * `appDevelopment` lets apps run that are signed by a key for development, and the attached gateway sideload them; the
 * device takes no apps from its service. `fieldServicing` lets the gateway sideload images that are signed for products.
 */
export const DEVICE_CAPABILITIES = ['appDevelopment', 'fieldServicing'] as const;
export type DeviceCapabilityName = (typeof DEVICE_CAPABILITIES)[number];

/** The payload of a capability file: a COSE_Sign1 by a key that the keystore has for `capability`. */
export interface DeviceCapability {
  /** 64 hexadecimal digits: no other device takes it. */
  readonly deviceId: string;
  /** Each once. None: the device is to be locked again. */
  readonly capabilities: readonly DeviceCapabilityName[];
  /** Seconds since 1970. */
  readonly issuedAt: number;
}

/** A capability file is at most so many bytes. */
export const MOST_CAPABILITY_BYTES = 1024;
/** Under this component the Security Monitor keeps the file: no app has it, and nothing else is kept there. */
export const CAPABILITY_COMPONENT_ID = '7f1dca9a-5e7e-4f01-8d00-0000000000ca';

const KEYS = { deviceId: 1, capabilities: 2, issuedAt: 3 } as const;

/** Encodes a payload; what it would refuse to decode is refused here already. */
export function encodeDeviceCapability(capability: DeviceCapability): Uint8Array<ArrayBuffer> {
  const encoded = encodeCbor(cborMap(KEYS, { ...capability, capabilities: [...capability.capabilities] }));
  decodeDeviceCapability(encoded);
  return encoded;
}

/** Decodes a payload. Throws `FormatError`. */
export function decodeDeviceCapability(untrusted: Uint8Array): DeviceCapability {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: MOST_CAPABILITY_BYTES, maxDepth: 3 }),
    KEYS,
  );
  const deviceId = reader.text('deviceId', 64);
  if (!/^[0-9a-f]{64}$/.test(deviceId)) {
    throw new FormatError('ValueOutOfRange', 'deviceId is not a device id.', {
      field: 'deviceId',
      rule: '64 hexadecimal digits in lower case',
    });
  }
  const capabilities = reader.array('capabilities', DEVICE_CAPABILITIES.length, (item, field) => {
    const text = readText(item, field, 64);
    const name = DEVICE_CAPABILITIES.find((known) => known === text);
    if (name === undefined) {
      throw new FormatError('ValueOutOfRange', `${field} is not a capability of a device.`, {
        field,
        rule: DEVICE_CAPABILITIES.join(', '),
      });
    }
    return name;
  });
  if (new Set(capabilities).size !== capabilities.length) {
    throw new FormatError('DuplicateEntry', 'capabilities holds an entry twice.', { field: 'capabilities' });
  }
  const issuedAt = reader.uint('issuedAt');
  reader.end();
  return { deviceId, capabilities, issuedAt };
}

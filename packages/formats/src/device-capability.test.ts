import { describe, expect, it } from 'vitest';
import { encodeCbor, type CborValue } from './cbor.ts';
import {
  decodeDeviceCapability,
  encodeDeviceCapability,
  type DeviceCapability,
} from './device-capability.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';

const CAPABILITY: DeviceCapability = {
  deviceId: '0123456789abcdef'.repeat(4),
  capabilities: ['appDevelopment', 'fieldServicing'],
  issuedAt: 1_800_000_000,
};

describe('a device capability', () => {
  it('reads back what it wrote, also one that locks a device again', () => {
    expect(decodeDeviceCapability(encodeDeviceCapability(CAPABILITY))).toEqual(CAPABILITY);
    const none = { ...CAPABILITY, capabilities: [] };
    expect(decodeDeviceCapability(encodeDeviceCapability(none))).toEqual(none);
  });

  const map = (changes: readonly (readonly [number, CborValue | undefined])[]): Uint8Array => {
    const entries: ReadonlyMap<number, CborValue | undefined> = new Map([
      [1, CAPABILITY.deviceId],
      [2, []],
      [3, 1],
      ...changes,
    ]);
    return encodeCbor(
      new Map([...entries].flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))),
    );
  };

  it.each<[string, string, readonly (readonly [number, CborValue | undefined])[]]>([
    ['another word', 'ValueOutOfRange', [[2, ['root']]]],
    ['a capability twice', 'DuplicateEntry', [[2, ['fieldServicing', 'fieldServicing']]]],
    ['a device id in capitals', 'ValueOutOfRange', [[1, CAPABILITY.deviceId.toUpperCase()]]],
    ['a device id that is too short', 'ValueOutOfRange', [[1, 'abc']]],
    ['no device', 'MissingField', [[1, undefined]]],
  ])('refuses %s', (_what, code, changes) => {
    expect(codeOf(() => decodeDeviceCapability(map(changes)))).toBe(code);
  });

  strictnessSuite({
    name: 'device capability',
    samples: [encodeDeviceCapability(CAPABILITY)],
    decode: decodeDeviceCapability,
    encode: encodeDeviceCapability,
  });
});

import { describe, expect, it } from 'vitest';
import { encodeCbor } from './cbor.ts';
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

  it.each([
    ['another word', 'ValueOutOfRange', [1, CAPABILITY.deviceId, 2, ['root'], 3, 1]],
    [
      'a capability twice',
      'DuplicateEntry',
      [1, CAPABILITY.deviceId, 2, ['fieldServicing', 'fieldServicing'], 3, 1],
    ],
    ['a device id in capitals', 'ValueOutOfRange', [1, CAPABILITY.deviceId.toUpperCase(), 2, [], 3, 1]],
    ['a device id that is too short', 'ValueOutOfRange', [1, 'abc', 2, [], 3, 1]],
    ['no device', 'MissingField', [2, [], 3, 1]],
  ] as const)('refuses %s', (_what, code, entries) => {
    const map = new Map<number, string | number | string[]>();
    for (let index = 0; index < entries.length; index += 2) {
      const value = entries[index + 1];
      map.set(Number(entries[index]), Array.isArray(value) ? [...value] : (value as string | number));
    }
    expect(codeOf(() => decodeDeviceCapability(encodeCbor(map)))).toBe(code);
  });

  strictnessSuite({
    name: 'device capability',
    samples: [encodeDeviceCapability(CAPABILITY)],
    decode: decodeDeviceCapability,
    encode: encodeDeviceCapability,
  });
});

import { describe, expect, it } from 'vitest';
import { IMAGE_TYPES } from './abi/image-types.ts';
import { decodeCbor, encodeCbor, type CborValue } from './cbor.ts';
import {
  type CertStore,
  decodeCertStore,
  decodeKeystore,
  encodeCertStore,
  encodeKeystore,
  imageTypeName,
  imageUse,
  type TrustedKeystore,
} from './keystore.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';

const KEYSTORE: TrustedKeystore = {
  version: 3,
  rootSpki: new Uint8Array(91).fill(1),
  keys: [
    {
      spki: new Uint8Array(91).fill(2),
      thumbprint: new Uint8Array(20).fill(3),
      uses: ['image:PlutonRuntime', 'image:Applications'],
    },
    { spki: new Uint8Array(91).fill(4), thumbprint: new Uint8Array(20).fill(5), uses: ['plan'] },
  ],
  revokedImageDigests: [new Uint8Array(32).fill(6), new Uint8Array(32).fill(7)],
};
const SUCCESSION = {
  from: new Uint8Array(91).fill(9),
  to: new Uint8Array(32).fill(10),
  signature: new Uint8Array(64).fill(11),
};
const CERT_STORE: CertStore = {
  endpoints: [
    { host: '127.0.0.1', port: 8443, serverName: 'device.sevenfold.test' },
    { host: '::1', port: 1, serverName: 'localhost' },
  ],
  tlsRoots: [new Uint8Array(500).fill(8)],
};
const changed = (encoded: Uint8Array, key: number, value: CborValue): Uint8Array =>
  encodeCbor(new Map(decodeCbor(encoded) as ReadonlyMap<number, CborValue>).set(key, value));

describe('trusted keystore', () => {
  it('reads back what it wrote', () => {
    for (const keystore of [KEYSTORE, { ...KEYSTORE, successions: [SUCCESSION, SUCCESSION] }])
      expect(decodeKeystore(encodeKeystore(keystore))).toEqual(keystore);
  });

  it('names uses by image type', () => {
    expect(imageUse(IMAGE_TYPES.NormalWorldKernel)).toBe('image:NormalWorldKernel');
    expect(imageTypeName(11)).toBeNull();
    expect(codeOf(() => imageUse(0))).toBe('UnknownImageType');
  });

  it('sorts revoked digests when writing and refuses others when reading', () => {
    const reversed = { ...KEYSTORE, revokedImageDigests: KEYSTORE.revokedImageDigests.toReversed() };
    expect(encodeKeystore(reversed)).toEqual(encodeKeystore(KEYSTORE));
    const encoded = encodeKeystore(KEYSTORE);
    expect(codeOf(() => decodeKeystore(changed(encoded, 4, [...reversed.revokedImageDigests])))).toBe(
      'NotSorted',
    );
    const twice = [new Uint8Array(32), new Uint8Array(32)];
    expect(codeOf(() => decodeKeystore(changed(encoded, 4, twice)))).toBe('NotSorted');
  });

  it.each<[string, Partial<TrustedKeystore>, string]>([
    [
      'a use that is none',
      { keys: [{ spki: Uint8Array.of(1), thumbprint: new Uint8Array(20), uses: ['image:10'] }] },
      'ValueOutOfRange',
    ],
    [
      'a use of an inherited name',
      { keys: [{ spki: Uint8Array.of(1), thumbprint: new Uint8Array(20), uses: ['image:toString'] }] },
      'ValueOutOfRange',
    ],
    [
      'a use twice',
      { keys: [{ spki: Uint8Array.of(1), thumbprint: new Uint8Array(20), uses: ['plan', 'plan'] }] },
      'DuplicateEntry',
    ],
    ['a key twice', { keys: [...KEYSTORE.keys, ...KEYSTORE.keys] }, 'DuplicateEntry'],
    [
      'a thumbprint of SHA-256',
      { keys: [{ spki: Uint8Array.of(1), thumbprint: new Uint8Array(32), uses: [] }] },
      'WrongLength',
    ],
    ['no root key', { rootSpki: new Uint8Array(0) }, 'WrongLength'],
    ['a negative version', { version: -1 }, 'ValueOutOfRange'],
    ['a successor by SHA-1', { successions: [{ ...SUCCESSION, to: new Uint8Array(20) }] }, 'WrongLength'],
    [
      'a signature that is none',
      { successions: [{ ...SUCCESSION, signature: new Uint8Array(63) }] },
      'WrongLength',
    ],
    ['too many successions', { successions: Array.from({ length: 33 }, () => SUCCESSION) }, 'TooMany'],
    ['a digest of SHA-1', { revokedImageDigests: [new Uint8Array(20)] }, 'WrongLength'],
  ])('refuses %s', (_what, change, code) => {
    expect(codeOf(() => encodeKeystore({ ...KEYSTORE, ...change }))).toBe(code);
  });

  strictnessSuite({
    name: 'keystore',
    samples: [encodeKeystore(KEYSTORE), encodeKeystore({ ...KEYSTORE, successions: [SUCCESSION] })],
    decode: decodeKeystore,
    encode: encodeKeystore,
  });
});

describe('certificate store', () => {
  it('reads back what it wrote', () => {
    expect(decodeCertStore(encodeCertStore(CERT_STORE))).toEqual(CERT_STORE);
    const patient = { ...CERT_STORE, healthyAfter: 600 };
    expect(decodeCertStore(encodeCertStore(patient))).toEqual(patient);
    // As long as a trial lasts, or at once, would be no rule at all.
    for (const healthyAfter of [0, 59, 3001]) {
      expect(codeOf(() => encodeCertStore({ ...CERT_STORE, healthyAfter }))).toBe('ValueOutOfRange');
    }
  });

  it.each<[string, Partial<CertStore>, string]>([
    ['port 0', { endpoints: [{ host: 'a', port: 0, serverName: 'a' }] }, 'ValueOutOfRange'],
    [
      'a host that is a URL',
      { endpoints: [{ host: 'https://a', port: 1, serverName: 'a' }] },
      'ValueOutOfRange',
    ],
    ['an empty server name', { endpoints: [{ host: 'a', port: 1, serverName: '' }] }, 'ValueOutOfRange'],
    ['an empty root', { tlsRoots: [new Uint8Array(0)] }, 'WrongLength'],
    ['too many roots', { tlsRoots: Array.from({ length: 9 }, () => Uint8Array.of(1)) }, 'TooMany'],
  ])('refuses %s', (_what, change, code) => {
    expect(codeOf(() => encodeCertStore({ ...CERT_STORE, ...change }))).toBe(code);
  });

  strictnessSuite({
    name: 'cert store',
    samples: [encodeCertStore(CERT_STORE)],
    decode: decodeCertStore,
    encode: encodeCertStore,
  });
});

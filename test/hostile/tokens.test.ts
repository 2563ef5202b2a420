import {
  attestationChallengeInput,
  concatBytes,
  decodeSign1,
  encodeCbor,
  equalBytes,
  SevenfoldError,
  toHex,
  type AttestRequest,
  type CborValue,
} from '@sevenfold/formats';
import {
  generateKeyPair,
  parseCertificate,
  sha256,
  signWithPkcs8,
  spkiSha256,
  verifyChain,
  verifySignature,
  type KeyPair,
} from '@sevenfold/pki';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attestDevice } from '../../packages/service/src/attestation/attest-device.ts';
import { decodeEvidence } from '../../packages/service/src/attestation/evidence-formats.ts';
import { lastAttestation } from '../../packages/service/src/attestation/attestation-record.ts';
import { makeNonce } from '../../packages/service/src/attestation/challenge.ts';
import { FLEET_SCHEDULE } from '../../packages/service/src/device-port/schedule.ts';
import {
  openDeviceWorld,
  type DeviceWorld,
  type TestDevice,
} from '../../packages/service/src/device-port/testing/device-world.fixture.ts';
import { decodeAttestRequest } from '../../packages/formats/src/device-protocol/attest.ts';
import { mutantsOf, report, tryAll } from './mutants.ts';

const SEEDED = 10_000;
const EXPORTER = new Uint8Array(32).fill(7);

let world: DeviceWorld;
let device: TestDevice;
let encoded: Uint8Array;
let good: AttestRequest;
beforeAll(async () => {
  world = await openDeviceWorld();
  device = await world.makeDevice();
  device.running = (await world.publish('26.11.0')).images;
  encoded = device.request(EXPORTER).request;
  good = decodeAttestRequest(encoded);
});
afterAll(() => world.close());

const context = () => ({ ...world.service, authorities: world.authorities, schedule: FLEET_SCHEDULE });
/** The code of the refusal, or that it was accepted. Whatever else is thrown is a crash. */
const attest = async (request: AttestRequest, exporter = EXPORTER): Promise<string> => {
  try {
    await attestDevice(context(), request, () => exporter);
    return 'accepted';
  } catch (error) {
    if (error instanceof SevenfoldError) return error.code;
    throw error;
  }
};
const attestToken = (token: Uint8Array): Promise<string> => attest({ ...good, token });

/** A token with its four parts as an attacker would have them. */
function handMade(
  parts: { readonly header?: CborValue; readonly unprotected?: CborValue; readonly payload?: Uint8Array },
  signWith: (toBeSigned: Uint8Array) => Uint8Array = (bytes) => signWithPkcs8(device.identity.pkcs8, bytes),
): Uint8Array {
  const { payload } = decodeSign1(good.token);
  const header = parts.header === undefined ? Uint8Array.of(0xa1, 0x01, 0x26) : encodeCbor(parts.header);
  const body = parts.payload ?? payload;
  const signature = signWith(encodeCbor(['Signature1', header, new Uint8Array(0), body]));
  return concatBytes(
    Uint8Array.of(0xd2),
    encodeCbor([header, parts.unprotected ?? new Map(), body, signature]),
  );
}

describe('mutated tokens', () => {
  it('are good when nothing is changed', async () => {
    expect(await attestToken(good.token)).toBe('accepted');
    expect(await attestToken(handMade({}))).toBe('accepted');
  });

  it('never say anything that the chip did not sign', () => {
    const { toBeSigned, payload } = decodeSign1(good.token);
    const use = (token: Uint8Array): void => {
      const evidence = decodeEvidence(token);
      if (!evidence.isSignedBy(device.identity.spki)) throw new SevenfoldError('NotSigned', 'not signed');
    };
    const trial = tryAll(mutantsOf(good.token, SEEDED), use);
    report('mutated tokens', trial);
    // What is left is the same message: without its tag, or with another name for its key.
    for (const token of trial.accepted) {
      expect(equalBytes(decodeSign1(token).toBeSigned, toBeSigned)).toBe(true);
      expect(equalBytes(decodeSign1(token).payload, payload)).toBe(true);
    }
  });

  it('get no certificate, and change nothing that is kept', async () => {
    await attestToken(good.token);
    const before = await lastAttestation(world.service, device.deviceId);
    const { toBeSigned } = decodeSign1(good.token);
    let refused = 0;
    for (const token of mutantsOf(good.token, 2000).filter((_, index) => index % 5 === 0)) {
      const outcome = await attestToken(token);
      if (outcome === 'accepted') expect(equalBytes(decodeSign1(token).toBeSigned, toBeSigned)).toBe(true);
      else refused += 1;
    }
    expect(refused).toBeGreaterThan(700);
    expect((await lastAttestation(world.service, device.deviceId))?.verdict).toBe(before?.verdict);
  });

  it('are refused as whole requests, too: keys, proofs and all', () => {
    const refuse = (code: string): never => {
      throw new SevenfoldError(code, 'refused');
    };
    const use = (request: Uint8Array): void => {
      const { token, clientKey, updateKey, nonce } = decodeAttestRequest(request);
      const evidence = decodeEvidence(token);
      if (!evidence.isSignedBy(device.identity.spki)) refuse('NotSigned');
      const input = attestationChallengeInput(
        nonce ?? EXPORTER,
        spkiSha256(clientKey.spki),
        spkiSha256(updateKey.spki),
      );
      const challenge = sha256(input);
      if (!equalBytes(evidence.challenge, challenge)) refuse('Stale');
      for (const { spki, proof } of [clientKey, updateKey]) {
        if (!verifySignature(spki, challenge, proof)) refuse('NotProved');
      }
    };
    use(encoded);
    const trial = tryAll(mutantsOf(encoded, SEEDED), use);
    report('mutated requests', trial);
    expect(trial.accepted.map((request) => toHex(request))).toEqual([]);
  });

  it('accept no other algorithm than the one of the key', async () => {
    const none = (): Uint8Array => new Uint8Array(0);
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
    const ed25519 = generateKeyPairSync('ed25519').privateKey;
    const es256 = createPrivateKey({
      key: Buffer.from(device.identity.pkcs8),
      format: 'der',
      type: 'pkcs8',
    });
    const raw = (digest: string | null, key: typeof p384) => (bytes: Uint8Array) =>
      new Uint8Array(sign(digest, bytes, { key, dsaEncoding: 'ieee-p1363' }));
    const outcomes = {
      'alg none, no signature': await attestToken(handMade({ header: new Map([[1, 0]]) }, none)),
      'alg "none"': await attestToken(handMade({ header: new Map([[1, 'none']]) }, none)),
      'no alg': await attestToken(handMade({ header: new Map() })),
      'alg unprotected': await attestToken(handMade({ header: new Map(), unprotected: new Map([[1, -7]]) })),
      'alg in both': await attestToken(handMade({ unprotected: new Map([[1, -7]]) })),
      'an empty signature': await attestToken(handMade({}, none)),
      'a signature of zeros': await attestToken(handMade({}, () => new Uint8Array(64))),
      'HS256 with the public key': await attestToken(handMade({ header: new Map([[1, 5]]) })),
      'ES384 by name alone': await attestToken(handMade({ header: new Map([[1, -35]]) })),
      'another curve, its own key': await attestToken(
        handMade({ header: new Map([[1, -35]]) }, raw('sha384', p384)),
      ),
      'P-256 with SHA-384': await attestToken(handMade({}, raw('sha384', es256))),
      'EdDSA, its own key': await attestToken(handMade({ header: new Map([[1, -8]]) }, raw(null, ed25519))),
      ES512: await attestToken(handMade({ header: new Map([[1, -36]]) })),
      'a critical header': await attestToken(
        handMade({
          header: new Map<number, CborValue>([
            [1, -7],
            [2, [1]],
          ]),
        }),
      ),
      'a certificate in the header': await attestToken(
        handMade({ unprotected: new Map([[33, new Uint8Array(9)]]) }),
      ),
    };
    expect(outcomes).toEqual({
      'alg none, no signature': 'UnknownAlgorithm',
      'alg "none"': 'UnknownAlgorithm',
      'no alg': 'MissingAlgorithm',
      'alg unprotected': 'MissingAlgorithm',
      'alg in both': 'UnsupportedHeader',
      'an empty signature': 'WrongSignatureLength',
      'a signature of zeros': 'InvalidEvidence',
      'HS256 with the public key': 'UnknownAlgorithm',
      'ES384 by name alone': 'WrongSignatureLength',
      'another curve, its own key': 'InvalidEvidence',
      'P-256 with SHA-384': 'InvalidEvidence',
      'EdDSA, its own key': 'InvalidEvidence',
      ES512: 'UnknownAlgorithm',
      'a critical header': 'UnsupportedHeader',
      'a certificate in the header': 'UnsupportedHeader',
    });
  });

  it('accept one form of each item only, even when the chip itself signed another', async () => {
    const { payload } = decodeSign1(good.token);
    const count = payload[0] ?? 0;
    const body = payload.subarray(1);
    const forms = {
      'a duplicate claim': concatBytes(Uint8Array.of(count + 1), body, Uint8Array.of(0x19, 0x09, 0x5a, 0x01)),
      'a map of indefinite length': concatBytes(Uint8Array.of(0xbf), body, Uint8Array.of(0xff)),
      'a longer head than needed': concatBytes(Uint8Array.of(0xb8, count & 31), body),
      'bytes behind the claims': concatBytes(payload, Uint8Array.of(0)),
      'a float': concatBytes(Uint8Array.of(count + 1), body, Uint8Array.of(0x00, 0xf9, 0x00, 0x00)),
      'a tag': concatBytes(Uint8Array.of(0xd9, 0xd9, 0xf7), payload),
      'no claims': Uint8Array.of(0xa0),
      nothing: new Uint8Array(0),
      'a thousand arrays': new Uint8Array(1000).fill(0x81),
      'a promise of four billion claims': Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff),
    };
    const outcomes: Record<string, string> = {};
    for (const [name, claims] of Object.entries(forms)) {
      outcomes[name] = await attestToken(handMade({ payload: claims }));
    }
    expect(outcomes).toEqual({
      'a duplicate claim': 'CborDuplicateKey',
      'a map of indefinite length': 'CborNotDeterministic',
      'a longer head than needed': 'CborNotDeterministic',
      'bytes behind the claims': 'CborTrailingBytes',
      'a float': 'CborUnsupported',
      'a tag': 'CborUnsupported',
      'no claims': 'MissingField',
      nothing: 'CborTruncated',
      'a thousand arrays': 'CborTooDeep',
      'a promise of four billion claims': 'CborTruncated',
    });
  });
});

describe('keys that are sent to be certified', () => {
  const withSpki = (spki: Uint8Array): AttestRequest => ({
    ...good,
    clientKey: { ...good.clientKey, spki },
  });

  it('are points on P-256 and nothing else', async () => {
    const { spki } = good.clientKey;
    const changed = (from: number, bytes: Uint8Array): Uint8Array => {
      const copy = spki.slice();
      copy.set(bytes, from);
      return copy;
    };
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey;
    const keys = {
      'a point off the curve': changed(90, Uint8Array.of((spki[90] ?? 0) ^ 1)),
      'the origin': changed(27, new Uint8Array(64)),
      'coordinates beyond the field': changed(27, new Uint8Array(64).fill(0xff)),
      'the point at infinity': concatBytes(
        Uint8Array.of(0x30, 0x19),
        spki.subarray(2, 23),
        Uint8Array.of(0x03, 0x02, 0x00, 0x00),
      ),
      'a compressed point': concatBytes(
        Uint8Array.of(0x30, 0x39),
        spki.subarray(2, 23),
        Uint8Array.of(0x03, 0x22, 0x00, 0x02),
        spki.subarray(27, 59),
      ),
      'the same point named as of another curve': changed(22, Uint8Array.of(0x06)),
      'a key of P-384': new Uint8Array(p384.export({ type: 'spki', format: 'der' })),
      'bytes behind the key': concatBytes(spki, Uint8Array.of(0)),
    };
    for (const [name, key] of Object.entries(keys)) {
      // The token is made for this very key: only its form is wrong.
      const { request } = device.request(EXPORTER, {
        clientKey: { spki: key, pkcs8: device.identity.pkcs8 },
      });
      expect([name, await attest(decodeAttestRequest(request))]).toEqual([name, 'BadKey']);
      expect([name, await attest(withSpki(key))]).toEqual([name, 'StaleChallenge']);
    }
  });
});

describe('what was good once', () => {
  it('is refused on another connection, with a used nonce, and with another device’s token', async () => {
    expect(await attest(good, new Uint8Array(32).fill(8))).toBe('StaleChallenge');
    const nonce = await makeNonce(world.service);
    const once = decodeAttestRequest(device.request(EXPORTER, { nonce }).request);
    expect(await attest(once)).toBe('accepted');
    expect(await attest(once)).toBe('StaleChallenge');
    const other = await world.makeDevice();
    other.running = device.running;
    const foreign = decodeAttestRequest(other.request(EXPORTER).request);
    expect(await attestToken(foreign.token)).toBe('StaleChallenge');
  });

  it('is used up by whoever comes first, when it is sent a hundred times at once', async () => {
    const nonce = await makeNonce(world.service);
    const once = decodeAttestRequest(device.request(EXPORTER, { nonce }).request);
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => attest(once)));
    expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['accepted', 'StaleChallenge']));
  });
});

describe('mutated certificates', () => {
  const chainOf = async (): Promise<{ chain: readonly Uint8Array[]; roots: readonly Uint8Array[] }> => {
    const { reply } = await world.certify(device);
    const root = (await world.authorities.issuing('root', null)).certificate.der;
    return { chain: reply.clientChain ?? [], roots: [root] };
  };

  it('are refused, each with a typed error', async () => {
    const { chain, roots } = await chainOf();
    const [leaf = new Uint8Array(), ...rest] = chain;
    const anchors = roots.map((der) => parseCertificate(der));
    const now = world.service.clock.now();
    const verify = (der: Uint8Array, intermediates: readonly Uint8Array[]): void => {
      verifyChain({
        leaf: parseCertificate(der),
        intermediates: intermediates.map((one) => parseCertificate(one)),
        roots: anchors,
        now,
        purpose: 'clientAuth',
      });
    };
    verify(leaf, rest);
    const leaves = tryAll(mutantsOf(leaf, SEEDED), (der) => verify(der, rest));
    report('mutated leaf certificates', leaves);
    expect(leaves.accepted.map((der) => toHex(der))).toEqual([]);
    const [tenantCa = new Uint8Array(), ...above] = rest;
    const authorities = tryAll(mutantsOf(tenantCa, 2000), (der) => verify(leaf, [der, ...above]));
    report('mutated tenant CA certificates', authorities);
    expect(authorities.accepted.map((der) => toHex(der))).toEqual([]);
  });

  it('of another tenant are nothing to this one', async () => {
    const { chain } = await chainOf();
    const [leaf, ...rest] = chain.map((der) => parseCertificate(der));
    if (leaf === undefined) throw new Error('a chain has a leaf');
    const other = 'ffffffff-0000-4000-8000-000000000000';
    await world.authorities.ensureTenantCa(other);
    const foreign = (await world.authorities.issuing('tenantCa', other)).certificate;
    const query = { leaf, now: world.service.clock.now(), purpose: 'clientAuth' } as const;
    for (const intermediates of [[], rest]) {
      expect(() => verifyChain({ ...query, intermediates, roots: [foreign] })).toThrow(
        expect.objectContaining({ code: 'UnknownIssuer' }),
      );
    }
  });
});

describe('proofs of possession', () => {
  it('are of the very key that is to be certified', async () => {
    const mixed: KeyPair = { spki: generateKeyPair().spki, pkcs8: generateKeyPair().pkcs8 };
    const { request } = device.request(EXPORTER, { clientKey: mixed });
    expect(await attest(decodeAttestRequest(request))).toBe('InvalidEvidence');
  });
});

import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import {
  attestationChallengeInput,
  decodeAttestReply,
  DEVICE_PATHS,
  encodeAttestRequest,
  encodeEndorsements,
  encodePsaClaims,
  encodeSign1,
  fromHex,
  PSA_PROFILES,
  toHex,
  type CoseAlgorithm,
} from '@sevenfold/formats';
import { generateKeyPair, sha256, signWithPkcs8, spkiSha256 } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { OsImage } from '../deployments/os-images.ts';
import { openDeviceWorld, type DeviceWorld } from '../device-port/testing/device-world.fixture.ts';
import { problemIn, type DeviceResponse } from '../device-port/testing/device-client.fixture.ts';
import { importBatch } from '../manufacturing/import-batch.ts';

let world: DeviceWorld;
let images: readonly OsImage[];
beforeEach(async () => {
  world = await openDeviceWorld();
  ({ images } = await world.publish('26.11.0'));
});
afterEach(() => world.close());

/** A chip of another maker: its own kind of key, its own name in its evidence, its own profile. */
interface ForeignChip {
  readonly algorithm: CoseAlgorithm;
  readonly key: KeyObject;
  readonly spki: Uint8Array;
  /** 33 bytes; not derived from the key. */
  readonly instanceId: Uint8Array;
  readonly profile: (typeof PSA_PROFILES)[number];
}

const KEYS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
} as const;
const DIGESTS: Readonly<Record<CoseAlgorithm, string | null>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  EdDSA: null,
};

async function makeChip(
  algorithm: CoseAlgorithm,
  profile: (typeof PSA_PROFILES)[number],
): Promise<ForeignChip> {
  const { publicKey, privateKey } = KEYS[algorithm]();
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  const instanceId = Uint8Array.of(1, ...world.service.entropy.random(32));
  const lines = encodeEndorsements([
    { deviceId: toHex(spkiSha256(spki)), spki, chipSku: 1, evidenceName: toHex(instanceId) },
  ]);
  const signature = signWithPkcs8(world.makerKey.pkcs8, lines);
  await importBatch(world.service, { makerId: world.makerId, lines, signature, format: 'cbor' });
  return { algorithm, key: privateKey, spki, instanceId, profile };
}

async function attest(chip: ForeignChip, signer: KeyObject = chip.key): Promise<DeviceResponse> {
  const connection = await world.connect();
  const [client, update] = [generateKeyPair(), generateKeyPair()];
  const challenge = sha256(
    attestationChallengeInput(connection.exporter(), spkiSha256(client.spki), spkiSha256(update.spki)),
  );
  const payload = encodePsaClaims({
    profile: chip.profile,
    nonce: challenge,
    instanceId: chip.instanceId,
    implementationId: new Uint8Array(32),
    clientId: -1,
    securityLifecycle: 0x3000,
    bootSeed: new Uint8Array(32),
    softwareComponents: images.map((image) => ({
      measurementType: image.imageType,
      measurementValue: fromHex(image.digest),
      version: `${image.name};sv=${image.securityVersion}`,
      signerId: world.signerId,
    })),
  });
  const token = encodeSign1({ algorithm: chip.algorithm, payload });
  const signature = sign(DIGESTS[chip.algorithm], token.toBeSigned, {
    key: signer,
    dsaEncoding: 'ieee-p1363',
  });
  const prove = ({ spki, pkcs8 }: typeof client) => ({ spki, proof: signWithPkcs8(pkcs8, challenge) });
  const body = encodeAttestRequest({
    token: token.finish(new Uint8Array(signature)),
    clientKey: prove(client),
    updateKey: prove(update),
  });
  const response = await connection.post(DEVICE_PATHS.attest, body);
  connection.close();
  return response;
}

describe('a chip of another maker', () => {
  it.each<[CoseAlgorithm, (typeof PSA_PROFILES)[number]]>([
    ['ES256', 'tag:psacertified.org,2023:psa#tfm'],
    ['ES384', 'http://arm.com/psa/2.0.0'],
    ['EdDSA', 'PSA_IOT_PROFILE_1'],
  ])('with a key for %s and the profile %s is genuine and trusted', async (algorithm, profile) => {
    const chip = await makeChip(algorithm, profile);
    const reply = decodeAttestReply((await attest(chip)).body);
    expect(reply).toMatchObject({ verdict: 'trusted', deviceId: toHex(spkiSha256(chip.spki)) });
    expect(reply.updateChain.length).toBeGreaterThan(1);
  });

  it.each<CoseAlgorithm>(['ES256', 'ES384', 'EdDSA'])(
    'is not impersonated by another key for %s',
    async (algorithm) => {
      const chip = await makeChip(algorithm, PSA_PROFILES[0]);
      const stranger = KEYS[algorithm]().privateKey;
      expect(problemIn(await attest(chip, stranger))).toMatchObject({
        code: 'InvalidEvidence',
        field: 'token',
      });
      expect(
        problemIn(await attest({ ...chip, instanceId: Uint8Array.of(1, ...new Uint8Array(32)) })),
      ).toMatchObject({ code: 'DeviceNotGenuine' });
    },
  );
});

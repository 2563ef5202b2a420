import { once } from 'node:events';
import { connect } from 'node:tls';
import { ROUTES } from '@sevenfold/api';
import {
  decodeChallengeReply,
  decodePlanPayload,
  decodeSign1,
  DEVICE_PATHS,
  devicePathOfImage,
  encodePlanRequest,
  encodeReportBatch,
  fromHex,
  type PlanPayload,
} from '@sevenfold/formats';
import { generateKeyPair, toPem } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDevice, refusalIn, type HostileDevice, type Identity } from './hostile-device.ts';
import { appPackage, newGuid, openWorld, type Household, type World } from './world.ts';

let world: World;
let one: HostileDevice;
let two: HostileDevice;
beforeAll(async () => {
  world = await openWorld();
  one = world.own.device;
  two = world.other.device;
});
afterAll(() => world.close());

const STALE = { status: 409, code: 'StaleChallenge' };
const INVALID = { status: 422, code: 'InvalidEvidence' };

/** Sends an attestation that was made by somebody over a connection of this test, and gives the refusal. */
async function refusalOfAttestation(request: Uint8Array): Promise<object> {
  using connection = await connectDevice(world.service);
  return refusalIn(await connection.send('POST', DEVICE_PATHS.attest, request));
}

async function challenge(): Promise<Uint8Array> {
  using connection = await connectDevice(world.service);
  const answer = await connection.send('POST', DEVICE_PATHS.challenge);
  return decodeChallengeReply(answer.body).nonce;
}

/** The plan that the service has for a device that has nothing. */
async function planOf(device: HostileDevice): Promise<PlanPayload> {
  const request = encodePlanRequest({ nonce: new Uint8Array(32), images: [], failures: [] });
  const answer = await device.send('POST', DEVICE_PATHS.plan, request);
  expect(answer.status).toBe(200);
  return decodePlanPayload(decodeSign1(answer.body).payload);
}

describe('evidence is refused, and leaves everything as it was, when it', () => {
  const unchanged = async (refusal: () => Promise<object>, expected: object): Promise<void> => {
    const before = world.state();
    expect(await refusal()).toMatchObject(expected);
    expect(world.state()).toEqual(before);
  };

  it('was heard on another TLS connection and is relayed', async () => {
    using genuine = await connectDevice(world.service);
    const { request } = one.attestation(genuine.exporter());
    await unchanged(() => refusalOfAttestation(request), { ...STALE, field: 'token.nonce' });
  });

  it('is sent a second time over the connection of a later one', async () => {
    using connection = await connectDevice(world.service);
    const { request } = one.attestation(connection.exporter());
    expect((await connection.send('POST', DEVICE_PATHS.attest, request)).status).toBe(200);
    await one.certify();
    await unchanged(() => refusalOfAttestation(request), STALE);
  });

  it('answers a nonce that was used, was made up, or was another’s', async () => {
    const nonce = await challenge();
    expect((await one.attest({ nonce })).status).toBe(200);
    const used = one.attestation(nonce, { nonce }).request;
    await unchanged(() => refusalOfAttestation(used), { ...STALE, field: 'nonce' });
    const madeUp = new Uint8Array(32).fill(3);
    const invented = one.attestation(madeUp, { nonce: madeUp }).request;
    await unchanged(() => refusalOfAttestation(invented), { ...STALE, field: 'nonce' });
    // The nonce in the request is not the one in the evidence.
    const [asked, signed] = [await challenge(), await challenge()];
    expect(await refusalOfAttestation(one.attestation(signed, { nonce: asked }).request)).toMatchObject({
      ...STALE,
      field: 'token.nonce',
    });
  });

  it('was used up by two at once: one of them wins', async () => {
    const nonce = await challenge();
    const attempts = await Promise.all([1, 2, 3, 4].map(() => one.attest({ nonce })));
    expect(attempts.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409, 409, 409]);
  });

  it('has its keys swapped, replaced, or one of them twice', async () => {
    const stranger = generateKeyPair();
    const attempts: readonly (readonly [Parameters<HostileDevice['attest']>[0], object])[] = [
      [{ request: (it) => ({ ...it, clientKey: it.updateKey, updateKey: it.clientKey }) }, STALE],
      [{ request: (it) => ({ ...it, clientKey: { ...it.clientKey, spki: stranger.spki } }) }, STALE],
      [{ request: (it) => ({ ...it, clientKey: it.updateKey }) }, STALE],
      [
        { request: (it) => ({ ...it, clientKey: { ...it.clientKey, proof: it.updateKey.proof } }) },
        { ...INVALID, field: 'clientKey.proof' },
      ],
    ];
    for (const [change, expected] of attempts) {
      await unchanged(async () => refusalIn(await one.attest(change)), expected);
    }
  });

  it('is about another device, or signed by nobody’s key', async () => {
    const claims = { instanceId: Uint8Array.of(1, ...fromHex(two.deviceId)) };
    await unchanged(async () => refusalIn(await one.attest({ claims })), { ...INVALID, field: 'token' });
    const signer = generateKeyPair();
    await unchanged(async () => refusalIn(await one.attest({ signer })), { ...INVALID, field: 'token' });
    const nobody = { instanceId: Uint8Array.of(1, ...new Uint8Array(32).fill(5)) };
    await unchanged(async () => refusalIn(await one.attest({ claims: nobody })), {
      status: 422,
      code: 'DeviceNotGenuine',
    });
  });

  it('comes from a device that its owner has blocked, certificates of yesterday included', async () => {
    const device = await world.makeDevice();
    const { tenantId, deviceGroupId } = world.own;
    const { client } = world.administrator;
    const { deviceId } = device;
    await client.call(ROUTES.claimDevice, { params: { tenantId }, body: { deviceId, deviceGroupId } });
    await device.certify();
    await planOf(device);
    await client.call(ROUTES.updateDevice, { params: { tenantId, deviceId }, body: { blocked: true } });
    const blocked = { status: 403, code: 'DeviceBlocked' };
    await unchanged(async () => refusalIn(await device.attest()), blocked);
    const plan = encodePlanRequest({ nonce: new Uint8Array(32), images: [], failures: [] });
    const image = devicePathOfImage(world.own.imageId);
    await unchanged(async () => refusalIn(await device.send('POST', DEVICE_PATHS.plan, plan)), blocked);
    await unchanged(async () => refusalIn(await device.send('GET', image)), blocked);
    await unchanged(
      async () =>
        refusalIn(await device.send('POST', DEVICE_PATHS.reports, encodeReportBatch({ reports: [] }))),
      blocked,
    );
  });
});

describe('a certificate opens', () => {
  const requests: readonly (readonly [string, string, Uint8Array | null])[] = [
    ['POST', DEVICE_PATHS.plan, encodePlanRequest({ nonce: new Uint8Array(32), images: [], failures: [] })],
    ['GET', devicePathOfImage(newGuid()), null],
    ['POST', DEVICE_PATHS.reports, encodeReportBatch({ reports: [] })],
  ];

  it('nothing at the device port but the update certificate, whoever shows it', async () => {
    const stolen: Identity = { chain: one.update.chain, pkcs8: one.client.pkcs8 };
    const shown: readonly (readonly [string, Identity | null])[] = [
      ['none', null],
      ['the client certificate', one.client],
      ['the client certificate of another tenant', two.client],
    ];
    for (const [what, identity] of shown) {
      for (const [method, path, body] of requests) {
        const refusal = refusalIn(await one.send(method, path, body, identity));
        expect([what, path, refusal]).toMatchObject([
          what,
          path,
          { status: 401, code: 'UpdateCertificateRequired', field: 'client certificate' },
        ]);
      }
    }
    // A certificate without its key does not come through TLS.
    await expect(one.send('GET', devicePathOfImage(newGuid()), null, stolen)).rejects.toThrow();
  });

  it('nothing at the broker but the client certificate of its own tenant', async () => {
    const mqttConnect = Buffer.from('101000044d5154540402003c000474657374', 'hex');
    const answerTo = async (identity: Identity): Promise<number | null> => {
      const socket = connect({
        port: world.service.brokerPort,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: world.service.tlsRootPem,
        cert: toPem('CERTIFICATE', ...identity.chain),
        key: toPem('PRIVATE KEY', identity.pkcs8),
      });
      let first: number | null = null;
      socket.on('error', () => {});
      socket.once('data', (data: Buffer) => {
        first = data[0] ?? null;
        socket.destroy();
      });
      socket.once('secureConnect', () => socket.write(mqttConnect));
      await once(socket, 'close');
      return first;
    };
    // CONNACK from the first tenant's broker; silence for everybody else.
    expect(await answerTo(one.client)).toBe(0x20);
    expect(await answerTo(one.update)).toBeNull();
    expect(await answerTo(two.client)).toBeNull();
    expect(await answerTo(two.update)).toBeNull();
  });
});

describe('a plan', () => {
  it('holds the apps of the device’s own group and tenant, and nothing of anybody else’s', async () => {
    const [mine, theirs] = [await planOf(one), await planOf(two)];
    const apps = (plan: PlanPayload): readonly string[] =>
      plan.images.filter(({ imageType }) => imageType === 10).map(({ imageId }) => imageId);
    expect(apps(mine)).toEqual([world.own.imageId]);
    expect(apps(theirs)).toEqual([world.other.imageId]);
    expect([mine.deviceId, theirs.deviceId]).toEqual([one.deviceId, two.deviceId]);
  });

  it('leaves apps alone where its group says so, and still updates the OS', async () => {
    const { tenantId, productId } = world.own;
    const { client } = world.administrator;
    const { deviceGroupId } = await client.call(ROUTES.createDeviceGroup, {
      params: { tenantId },
      body: { productId, name: newGuid(), updatePolicy: 'No3rdPartyAppUpdates' },
    });
    await client.call(ROUTES.createDeployment, {
      params: { tenantId, deviceGroupId },
      body: { imageIds: [world.own.imageId] },
    });
    const device = await world.makeDevice();
    const body = { deviceId: device.deviceId, deviceGroupId };
    await client.call(ROUTES.claimDevice, { params: { tenantId }, body });
    await device.certify();
    const { images, removeComponents } = await planOf(device);
    expect(images.some(({ imageType }) => imageType === 10)).toBe(false);
    expect(images).toHaveLength(world.release.length);
    expect(removeComponents).toEqual([]);
  });

  it('opens its own images for download, and no path opens anything else', async () => {
    await planOf(one);
    await planOf(two);
    expect((await one.send('GET', devicePathOfImage(world.own.imageId))).status).toBe(200);
    const notInPlan = { status: 403, code: 'ImageNotInPlan' };
    const foreign = await one.send('GET', devicePathOfImage(world.other.imageId));
    expect(refusalIn(foreign)).toMatchObject(notInPlan);
    const undeployed = await world.administrator.client.call(ROUTES.uploadImage, {
      params: { tenantId: world.own.tenantId },
      body: appPackage(),
    });
    expect(refusalIn(await one.send('GET', devicePathOfImage(undeployed.imageId)))).toMatchObject(notInPlan);
    const tricks = [
      '..%2f..%2fservice.sqlite',
      '%2e%2e%2f%2e%2e%2fkeys%2froot.1.pem',
      '../../keys/root.1.pem',
      '....//....//service.sqlite',
      '%00',
      `${world.own.imageId}%00`,
      `${world.own.imageId}/`,
      world.own.imageId.toUpperCase(),
      `${world.own.imageId}'%20or%20'1'='1`,
      '__proto__',
      'a'.repeat(90),
      'a'.repeat(4000),
    ];
    for (const trick of tricks) {
      const { status, code } = refusalIn(await one.send('GET', DEVICE_PATHS.images + trick));
      expect([trick, status, code]).toEqual([
        trick,
        expect.toSatisfy((value) => [400, 403, 404].includes(value as number)),
        expect.stringMatching(/^(?:ImageNotInPlan|RouteNotFound|InvalidRequest)$/),
      ]);
    }
  });

  it('of a former tenant opens nothing of that tenant any more', async () => {
    const device = await world.makeDevice();
    const { client } = world.administrator;
    const { deviceId } = device;
    const claim = async (to: Household): Promise<unknown> =>
      client.call(ROUTES.claimDevice, {
        params: { tenantId: to.tenantId },
        body: { deviceId, deviceGroupId: to.deviceGroupId },
      });
    await claim(world.own);
    await device.certify();
    await planOf(device);
    const path = devicePathOfImage(world.own.imageId);
    expect((await device.send('GET', path)).status).toBe(200);
    await client.call(ROUTES.releaseDevice, { params: { tenantId: world.own.tenantId, deviceId } });
    await claim(world.other);
    await device.certify();
    expect(refusalIn(await device.send('GET', path))).toMatchObject({ status: 403, code: 'ImageNotInPlan' });
  });

  it.each([
    'bytes=9-1',
    'bytes=99999999-',
    'bytes=-5',
    'bytes=0-1,3-4',
    'bytes=a-b',
    'lines=0-1',
    'bytes=0-1e3',
  ])('has no part %s', async (range) => {
    await planOf(one);
    const path = devicePathOfImage(world.own.imageId);
    const answer = await one.send('GET', path, null, one.update, { range });
    expect(refusalIn(answer)).toMatchObject({ status: 416, code: 'RangeNotSatisfiable', field: 'Range' });
  });
});

describe('two tenants that claim one device at once', () => {
  it('cannot both have it', async () => {
    const device = await world.makeDevice();
    const claim = (tenantId: string) =>
      world.administrator.client.call(ROUTES.claimDevice, {
        params: { tenantId },
        body: { deviceId: device.deviceId },
      });
    const tenants = [world.own.tenantId, world.other.tenantId, world.own.tenantId, world.other.tenantId];
    const outcomes = await Promise.allSettled(tenants.map(claim));
    const owners = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? [outcome.value.tenantId] : [],
    );
    expect(new Set(owners).size).toBe(1);
    expect(owners).toHaveLength(2);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: 'DeviceClaimedElsewhere' });
    }
    expect((await device.certify()).tenantId).toBe(owners[0]);
  });
});

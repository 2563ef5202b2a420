import {
  decodePlanPayload,
  decodeSign1,
  DEVICE_CONTENT_TYPES,
  devicePathOfImage,
  DEVICE_PATHS,
  encodePlanRequest,
  FLASH_MAP,
  fromHex,
  IMAGE_TYPES,
  toHex,
  type PlanPayload,
  type PlanRequest,
} from '@sevenfold/formats';
import { sha256, thumbprint, verifySignature } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createDeployment } from '../deployments/deployments.ts';
import type { OsImage } from '../deployments/os-images.ts';
import {
  problemIn,
  type ClientIdentity,
  type DeviceConnection,
  type DeviceResponse,
} from '../device-port/testing/device-client.fixture.ts';
import {
  openDeviceWorld,
  type DeviceWorld,
  type TestDevice,
} from '../device-port/testing/device-world.fixture.ts';
import type { StoredImage } from '../images/image.ts';
import { updateDeviceGroup } from '../registry/device-groups.ts';
import { updateDevice } from '../registry/devices.ts';
import { deviceState } from './device-state.ts';
import { planSigningKey } from './plan-for-device.ts';

const BLINK = '1d2c3b4a-0000-4000-8000-000000000001';
const FADE = '1d2c3b4a-0000-4000-8000-000000000002';

let world: DeviceWorld;
let device: TestDevice;
let identity: ClientIdentity;
let connection: DeviceConnection;
beforeEach(async () => {
  world = await openDeviceWorld();
  device = await world.makeDevice();
  device.running = (await world.publish('26.11.0')).images;
  ({ update: identity } = await world.certify(device));
  connection = await world.connect(identity);
});
afterEach(async () => {
  connection.close();
  await world.close();
});

const nonce = new Uint8Array(32).fill(9);
type Present = Pick<OsImage, 'componentId' | 'imageId' | 'digest'> & { imageType: keyof typeof IMAGE_TYPES };
const present = (images: readonly Present[]): PlanRequest['images'] =>
  images.map(({ imageType, componentId, imageId, digest }) => ({
    imageType: IMAGE_TYPES[imageType],
    componentId,
    imageId,
    digest: fromHex(digest),
  }));
const ask = async (images: readonly Present[] = device.running): Promise<DeviceResponse> =>
  connection.post(
    DEVICE_PATHS.plan,
    encodePlanRequest({ nonce, images: present(images), osVersion: '26.11.0', failures: [] }),
  );
const plan = async (images?: readonly Present[]): Promise<PlanPayload> => {
  const response = await ask(images);
  expect(response.status).toBe(200);
  return decodePlanPayload(decodeSign1(response.body).payload);
};

describe('a plan', () => {
  it('has room for as many apps as a device has', async () => {
    const { most } = FLASH_MAP.applications;
    const apps: StoredImage[] = [];
    for (let n = 0; n < most; n++)
      apps.push(await world.uploadApplication(`1d2c3b4a-0000-4000-8000-${String(n).padStart(12, '0')}`));
    const imageIds = apps.map(({ imageId }) => imageId);
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, imageIds);
    const planned = (await plan()).images.filter(({ imageType }) => imageType === IMAGE_TYPES.Applications);
    expect(planned.map(({ imageId }) => imageId).sort()).toEqual(imageIds.sort());
    // And it may say that it has them all: nothing is missing then.
    expect((await plan([...device.running, ...apps])).images).toEqual([]);
  });

  it('is signed by the plan key, for this device and this request', async () => {
    const response = await ask();
    expect(response.headers['content-type']).toBe(DEVICE_CONTENT_TYPES.sign1);
    const message = decodeSign1(response.body);
    const key = await planSigningKey(world.service.keys);
    expect(message.keyId).toEqual(thumbprint(key));
    expect(verifySignature(key, message.toBeSigned, message.signature)).toBe(true);
    expect(decodePlanPayload(message.payload)).toMatchObject({
      nonce,
      deviceId: device.deviceId,
      issuedAt: Math.floor(world.service.clock.now() / 1000),
      release: '26.11.0',
    });
  });

  it('is empty for a device that has everything', async () => {
    expect(await plan()).toMatchObject({ images: [], removeComponents: [] });
  });

  it('names what differs, and nothing else', async () => {
    const application = await world.uploadApplication(BLINK);
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, [application.imageId]);
    const { images } = await plan();
    expect(images).toEqual([
      {
        imageType: IMAGE_TYPES.Applications,
        componentId: BLINK,
        imageId: application.imageId,
        digest: fromHex(application.digest),
        size: application.size,
        name: 'Blink',
      },
    ]);
    expect((await plan([...device.running, application])).images).toEqual([]);
    const next = await world.publish('26.12.0');
    expect((await plan([...device.running, application])).images.map((image) => image.imageId)).toEqual(
      next.images.map((image) => image.imageId),
    );
  });

  it('takes away applications that the group no longer has', async () => {
    const [blink, fade] = [await world.uploadApplication(BLINK), await world.uploadApplication(FADE)];
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, [fade.imageId]);
    expect(await plan([...device.running, blink, fade])).toMatchObject({
      images: [],
      removeComponents: [BLINK],
    });
  });

  it('leaves applications alone where nothing was deployed, or the group takes none', async () => {
    const blink = await world.uploadApplication(BLINK);
    expect((await plan([...device.running, blink])).removeComponents).toEqual([]);
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, []);
    expect((await plan([...device.running, blink])).removeComponents).toEqual([BLINK]);
    await updateDeviceGroup(world.service, world.tenantId, world.deviceGroupId, {
      updatePolicy: 'No3rdPartyAppUpdates',
    });
    expect((await plan([...device.running, blink])).removeComponents).toEqual([]);
  });

  it('of an unclaimed device holds the OS alone', async () => {
    const unclaimed = await world.makeDevice(false);
    unclaimed.running = device.running;
    const { update } = await world.certify(unclaimed);
    const application = await world.uploadApplication(BLINK);
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, [application.imageId]);
    const next = await world.publish('26.12.0');
    connection.close();
    connection = await world.connect(update);
    expect((await plan()).images.map((image) => image.imageId)).toEqual(
      next.images.map((image) => image.imageId),
    );
  });

  it('leaves what the device said where people can read it', async () => {
    await ask();
    const state = await deviceState(world.service, { deviceId: device.deviceId, tenantId: world.tenantId });
    expect(state).toMatchObject({ osVersion: '26.11.0', attestation: { verdict: 'trusted' } });
    expect(state.installedImages.map((image) => image.imageType)).toContain('NormalWorldKernel');
    expect(state.lastSeen).toBe(new Date(world.service.clock.now()).toISOString());
  });
});

describe('the plan is refused', () => {
  const refusalWith = async (who: ClientIdentity | null) => {
    connection.close();
    connection = await world.connect(who);
    return problemIn(await ask());
  };

  it('without a certificate', async () => {
    expect(await refusalWith(null)).toMatchObject({
      status: 401,
      code: 'UpdateCertificateRequired',
      field: 'client certificate',
    });
  });

  it('with the client certificate that apps may use', async () => {
    const { reply, client } = await world.certify(device);
    const shown = { chain: reply.clientChain ?? [], pkcs8: client.pkcs8 };
    expect(await refusalWith(shown)).toMatchObject({ status: 401, code: 'UpdateCertificateRequired' });
  });

  it('with an update certificate that has ended, on a connection that still lives', async () => {
    world.service.clock.advance(24 * 3_600_000 + 1000);
    expect(problemIn(await ask())).toMatchObject({ code: 'UpdateCertificateRequired' });
  });

  it('to a device that its owner has blocked', async () => {
    await updateDevice(world.service, world.tenantId, device.deviceId, { blocked: true });
    expect(problemIn(await ask())).toMatchObject({ status: 403, code: 'DeviceBlocked' });
  });

  it('when the request is malformed: field and rule are named', async () => {
    const response = await connection.post(DEVICE_PATHS.plan, Uint8Array.of(0xa1, 0x01, 0x41, 0x00));
    expect(problemIn(response)).toMatchObject({ status: 422, field: 'nonce' });
  });
});

describe('an image', () => {
  it('comes whole or in parts, and is what the plan says', async () => {
    const application = await world.uploadApplication(BLINK);
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, [application.imageId]);
    await ask();
    const path = devicePathOfImage(application.imageId);
    const whole = await connection.request('GET', path);
    expect(whole.status).toBe(200);
    expect(whole.headers['content-type']).toBe('application/octet-stream');
    expect(toHex(sha256(whole.body))).toBe(application.digest);
    const size = whole.body.length;
    const parts: Uint8Array[] = [];
    for (const range of ['bytes=0-99', 'bytes=100-199', 'bytes=200-']) {
      const part = await connection.request('GET', path, null, { range });
      expect(part.status).toBe(206);
      expect(part.headers['content-range']).toMatch(new RegExp(`^bytes [0-9]+-[0-9]+/${size}$`, 'u'));
      parts.push(part.body);
    }
    expect(Buffer.concat(parts)).toEqual(Buffer.from(whole.body));
  });

  it.each(['bytes=99999999-', 'bytes=5-4', 'bytes=-5', 'bytes=0-1,4-5', 'lines=1-2'])(
    'has no range %s',
    async (range) => {
      const application = await world.uploadApplication(BLINK);
      await createDeployment(world.service, world.tenantId, world.deviceGroupId, [application.imageId]);
      await ask();
      const response = await connection.request('GET', devicePathOfImage(application.imageId), null, {
        range,
      });
      expect(problemIn(response)).toMatchObject({ status: 416, code: 'RangeNotSatisfiable', field: 'Range' });
    },
  );

  it('that is not in the device’s plan is not given out', async () => {
    const application = await world.uploadApplication(BLINK);
    const get = async () => connection.request('GET', devicePathOfImage(application.imageId));
    expect(problemIn(await get())).toMatchObject({ status: 403, code: 'ImageNotInPlan' });
    await ask();
    expect(problemIn(await get())).toMatchObject({ code: 'ImageNotInPlan' });
    // Another device's plan is no help.
    const other = await world.makeDevice();
    other.running = device.running;
    await createDeployment(world.service, world.tenantId, world.deviceGroupId, [application.imageId]);
    await ask();
    expect((await get()).status).toBe(200);
    connection.close();
    connection = await world.connect((await world.certify(other)).update);
    expect(problemIn(await get())).toMatchObject({ code: 'ImageNotInPlan' });
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, createHttpsTransport, createRequestSigner, ROUTES, type Client } from '@sevenfold/api';
import { manufactureInMemory, runDevice, type OsRelease, type VirtualDevice } from '@sevenfold/device';
import { CHIP_SKUS, toHex, utf8Encode } from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8 } from '@sevenfold/pki';
import { startService, type RunningService } from '@sevenfold/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildRelease, publishRelease } from '../packages/cli/src/platform/os-releases.ts';
import {
  readPlatformKeys,
  retireKey,
  rotateKeyIn,
  writePlatformKeys,
} from '../packages/cli/src/platform/platform-keys.ts';
import { seededEntropy } from './seeded.ts';

const TIMEOUT = 120_000;
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const dataDir = mkdtempSync(join(tmpdir(), 'sevenfold-rotation-'));
const platform = join(dataDir, 'platform');
const devices: VirtualDevice[] = [];
let service: RunningService;
let closeTransport = (): void => {};
let admin: Client;
let makerId = '';
const maker = generateKeyPair();

async function release(name: string): Promise<OsRelease> {
  const built = await buildRelease(platform, admin, name);
  await publishRelease(admin, built, 'Retail');
  return built;
}

/** A new chip with that release, endorsed, and off. */
async function newDevice(images: OsRelease, seed: string): Promise<VirtualDevice> {
  const { chip, info } = manufactureInMemory({
    images: images.images,
    rootKeyHash: images.rootKeyHash,
    entropy: seededEntropy(seed),
  });
  const line = {
    deviceId: info.deviceId,
    spki: base64(info.attestationSpki),
    chipSku: CHIP_SKUS[info.sku],
  };
  const batch = `${JSON.stringify(line)}\n`;
  const signature = base64(signWithPkcs8(maker.pkcs8, utf8Encode(batch)));
  await admin.call(ROUTES.importEndorsements, { body: { makerId, batch, signature } });
  const device = runDevice(chip, info, { wiring: 'inline' });
  devices.push(device);
  return device;
}

/** Rounds, one after the other, until the device runs exactly that release and is trusted. */
async function reaches(device: VirtualDevice, wanted: OsRelease): Promise<void> {
  const digests = wanted.images.map(({ digest }) => toHex(digest)).toSorted();
  await expect
    .poll(
      async () => {
        const status = await device.checkNow().catch(() => null);
        const isActive = status?.images.filter(({ state }) => state === 'active') ?? [];
        return [status?.verdict, ...isActive.map(({ digest }) => toHex(digest)).toSorted()];
      },
      { timeout: TIMEOUT, interval: 50 },
    )
    .toEqual(['trusted', ...digests]);
}

/** Which images this device has committed, in order. */
const committed = (device: VirtualDevice): readonly string[] =>
  device.bootLog.flatMap((line) => /committed: (.*)$/.exec(line)?.slice(1) ?? []);

beforeAll(async () => {
  service = await startService({ dataDir: join(dataDir, 'service') });
  const { transport, close } = createHttpsTransport({ tlsRootPem: service.tlsRootPem });
  closeTransport = close;
  const key = generateKeyPair();
  const body = { token: service.administratorToken ?? '', name: 'Admin', publicKey: base64(key.spki) };
  const anonymous = createClient({ baseUrl: service.peopleUrl, transport, signer: null });
  const { principalId } = await anonymous.call(ROUTES.enrol, { body });
  const signer = createRequestSigner(principalId, (message) =>
    Promise.resolve(signWithPkcs8(key.pkcs8, message)),
  );
  admin = createClient({ baseUrl: service.peopleUrl, transport, signer });
  ({ makerId } = await admin.call(ROUTES.createSiliconMaker, {
    body: { name: 'Seven Silicon', spki: base64(maker.spki) },
  }));
}, TIMEOUT);

afterAll(async () => {
  for (const device of devices) await device.close();
  closeTransport();
  await service.close();
  rmSync(dataDir, { recursive: true });
});

describe('a rotation of the platform key, over the air', () => {
  it(
    'reaches devices in the field, then those from the shelf, and by recovery those that nothing else reaches',
    async () => {
      const first = await release('26.11.0');
      const field = await newDevice(first, 'field');
      const stock = await newDevice(first, 'stock');
      const lost = await newDevice(first, 'lost');
      await field.boot();
      await reaches(field, first);

      // The new key signs; the keystore knows both. The keystore comes first and alone, then one more restart.
      await rotateKeyIn(platform);
      const second = await release('26.11.1');
      await reaches(field, second);
      expect(committed(field)[0]).toBe('keystore v2');
      expect(committed(field)).toHaveLength(2);
      expect(field.chip.fuses.securityVersion('TrustedKeystore')).toBe(2);

      // The former key is retired: what it signed runs no more, and nothing but the keystore is new.
      writePlatformKeys(platform, retireKey(readPlatformKeys(platform), 'signing'));
      const third = await release('26.11.2');
      await reaches(field, third);
      expect(committed(field).slice(2)[0]).toContain('keystore v3');
      await field.powerOff();
      expect(await field.boot()).toMatchObject({ kind: 'running' });

      // From the shelf: its keystore has never heard of the new key, nor the newest one of its old images.
      await stock.boot();
      await reaches(stock, third);
      const order = committed(stock).join(' | ');
      expect(order).toMatch(/^keystore v2 \| pluton .* \| keystore v3/);
      expect(stock.chip.fuses.securityVersion('TrustedKeystore')).toBe(3);

      // Offline: its flash is gone, and the set is all that there is.
      lost.chip.powerOn();
      for (let at = 0; at < 0x840000; at += 4096) lost.chip.flash.erase(at, 4096);
      lost.chip.powerOff();
      expect(await lost.boot()).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
      expect(await lost.recover(third.images.map((image) => image.package))).toMatchObject({
        kind: 'running',
      });
      await reaches(lost, third);
      expect(committed(lost)).toEqual([]);

      // No set brings an image of the retired key back.
      const old = third.images.map((image, index) =>
        image.type === 'Services' ? (first.images[index] ?? image).package : image.package,
      );
      await expect(lost.recover(old)).rejects.toMatchObject({ code: 'UnknownSigner' });
    },
    TIMEOUT,
  );
});

describe('a capability', () => {
  it(
    'from the service unlocks the one device that it is for, and the gateway then sideloads',
    async () => {
      const [field, stock] = devices;
      if (field === undefined || stock === undefined) throw new Error('There are no devices.');
      const { tenantId } = await admin.call(ROUTES.createTenant, {
        body: { name: 'Contoso', allowedVirtualSkus: ['SF-V1'] },
      });
      const { deviceId } = field;
      await admin.call(ROUTES.claimDevice, { params: { tenantId }, body: { deviceId } });
      const { file } = await admin.call(ROUTES.createDeviceCapability, {
        params: { tenantId, deviceId },
        body: { capabilities: ['fieldServicing'] },
      });
      const bytes = new Uint8Array(Buffer.from(file, 'base64'));
      await expect(
        admin.call(ROUTES.createDeviceCapability, {
          params: { tenantId, deviceId: stock.deviceId },
          body: { capabilities: ['fieldServicing'] },
        }),
      ).rejects.toMatchObject({ code: 'NotFound' });

      await expect(stock.gateway.call('setCapability', bytes)).rejects.toMatchObject({
        code: 'CapabilityRefused',
      });
      const image = new Uint8Array(100);
      await expect(field.gateway.call('sideload', image)).rejects.toMatchObject({
        code: 'CapabilityRequired',
      });
      await field.gateway.call('setCapability', bytes);
      await field.powerOff();
      await field.boot();
      expect((await field.status()).capabilities).toEqual(['fieldServicing']);
      // It is unlocked: what is refused now is the image itself.
      await expect(field.gateway.call('sideload', image)).rejects.toMatchObject({ code: 'ImageTooShort' });
      await field.gateway.call('setCapability', null);
      await field.powerOff();
      await field.boot();
      await expect(field.gateway.call('sideload', image)).rejects.toMatchObject({
        code: 'CapabilityRequired',
      });
    },
    TIMEOUT,
  );
});

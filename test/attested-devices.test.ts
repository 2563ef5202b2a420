import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import {
  buildOsRelease,
  manufactureInMemory,
  runDevice,
  type OsRelease,
  type VirtualDevice,
} from '@sevenfold/device';
import {
  CHIP_SKUS,
  IMAGE_TYPES,
  imageUse,
  SYSTEM_IMAGE_TYPES,
  utf8Encode,
  type PortValue,
} from '@sevenfold/formats';
import { createBoardNetwork, PrivateNetwork, type BoardNetwork } from '@sevenfold/os';
import { fromPem, signWithPkcs8, thumbprint } from '@sevenfold/pki';
import { buildApps, type BuiltApp } from '@sevenfold/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeSigner } from '../packages/device/src/testing/packages.ts';
import { KernelWorld } from '../packages/os/src/kernel/testing/kernel-world.ts';
import {
  openDeviceWorld,
  type DeviceWorld,
  type TestDevice,
} from '../packages/service/src/device-port/testing/device-world.fixture.ts';
import { uploadOsImage } from '../packages/service/src/deployments/os-images.ts';
import { createOsRelease } from '../packages/service/src/deployments/os-releases.ts';
import { registerPlatformKey } from '../packages/service/src/deployments/platform-keys.ts';
import { importBatch } from '../packages/service/src/manufacturing/import-batch.ts';
import { claimDevice } from '../packages/service/src/registry/claim-device.ts';
import { createTenant } from '../packages/service/src/registry/tenants.ts';
import { planSigningKey } from '../packages/service/src/updates/plan-for-device.ts';

/*
 * The app of examples/device-to-device with certificates that the service issued: on whole virtual devices that
 * attest to it, and at the boards of such devices over the change of their tenant's CA.
 */
const TIMEOUT = 180_000;
const DAY = 24 * 3_600_000;
const FOLDER = join(import.meta.dirname, '../examples/device-to-device');
const NAME = 'device-to-device';
const SERVER = '192.168.100.10';
/** Where the lamp is on this machine's loopback, which is the network of boards without a private one. */
const LAMP = `127.93.${process.pid % 250}.${1 + (Date.now() % 250)}`;

let world: DeviceWorld;
let otherTenant: string;
let release: OsRelease;
/** One listens, one calls; the third calls as well, for another tenant. */
let server: BuiltApp;
let caller: BuiltApp;
let stranger: BuiltApp;

const platform = makeSigner();
const devices: VirtualDevice[] = [];
const networks: BoardNetwork[] = [];

beforeAll(async () => {
  world = await openDeviceWorld();
  const { service, authorities } = world;
  ({ tenantId: otherTenant } = await createTenant({ ...service, authorities }, 'Other tenant', {
    allowedVirtualSkus: ['SF-V1'],
  }));
  const app = (tenantId: string, ...cmdArgs: readonly string[]) => ({
    sourceDir: FOLDER,
    signer: { thumbprint: thumbprint(platform.spki), sign: (message: Uint8Array) => platform.sign(message) },
    manifestOverrides: { cmdArgs, deviceAuthentication: tenantId },
  });
  [server, caller, stranger] = (await buildApps([
    app(world.tenantId, 'serve', SERVER),
    app(world.tenantId, 'call', '192.168.100.11', 'lamp.example'),
    app(otherTenant, 'call', '192.168.100.12', 'lamp.example'),
  ])) as [BuiltApp, BuiltApp, BuiltApp];
  release = await publishedRelease();
}, TIMEOUT);
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
  for (const network of networks.splice(0)) await network.close();
});
afterAll(() => world.close());

/** The OS of these sources, whose measurements the service knows. */
async function publishedRelease(): Promise<OsRelease> {
  const { service, port, rootPem } = world;
  const types = SYSTEM_IMAGE_TYPES.filter((type) => type !== 'TrustedKeystore');
  const built = await buildOsRelease({
    version: '26.11.0',
    root: platform,
    platform,
    keystore: {
      version: 1,
      keys: [
        {
          spki: platform.spki,
          uses: [...types.map((type) => IMAGE_TYPES[type]), IMAGE_TYPES.Applications].map(imageUse),
        },
        { spki: await planSigningKey(service.keys), uses: ['plan'] },
      ],
    },
    certStore: {
      endpoints: [{ host: '127.0.0.1', port, serverName: 'localhost' }],
      tlsRoots: fromPem('CERTIFICATE', rootPem),
    },
  });
  await registerPlatformKey(service, platform.spki);
  const imageIds: string[] = [];
  for (const image of built.images) imageIds.push((await uploadOsImage(service, image.package)).imageId);
  await createOsRelease(service, { name: built.name, feed: 'Retail', chipSku: CHIP_SKUS['SF-V1'], imageIds });
  return built;
}

/** A genuine device of a tenant with the app on it, which has booted and attested. */
async function attested(tenantId: string, app: BuiltApp, address: string): Promise<VirtualDevice> {
  const { service, makerId, makerKey } = world;
  const { chip, info } = manufactureInMemory({
    images: release.images,
    applications: [app.imagePackage],
    rootKeyHash: release.rootKeyHash,
  });
  const spki = Buffer.from(info.attestationSpki).toString('base64');
  const lines = utf8Encode(
    `${JSON.stringify({ deviceId: info.deviceId, spki, chipSku: CHIP_SKUS[info.sku] })}\n`,
  );
  await importBatch(service, { makerId, lines, signature: signWithPkcs8(makerKey.pkcs8, lines) });
  await claimDevice(service, tenantId, { deviceId: info.deviceId });
  const device = runDevice(chip, info, {
    wiring: 'inline',
    network: {
      address,
      resolve: (host) => (host === 'lamp.example' ? LAMP : host === '127.0.0.1' ? host : null),
    },
  });
  devices.push(device);
  await device.boot();
  await expect
    .poll(() => device.checkNow(), { timeout: TIMEOUT, interval: 50 })
    .toMatchObject({ verdict: 'trusted', tenantId });
  return device;
}

const said = (log: readonly string[]): readonly string[] =>
  log.flatMap((line) => new RegExp(`app ${NAME}: (.*)`).exec(line)?.[1] ?? []);

describe('devices that attested to their service', () => {
  it(
    'speak with those of their tenant, and with nobody of another',
    async () => {
      const lamp = await attested(world.tenantId, server, LAMP);
      const switcher = await attested(world.tenantId, caller, '127.0.0.1');
      await expect
        .poll(() => said(switcher.bootLog), { timeout: TIMEOUT, interval: 50 })
        .toContain('answer: lamp is on');
      const intruder = await attested(otherTenant, stranger, '127.0.0.1');
      await expect
        .poll(() => said(intruder.bootLog).join(' '), { timeout: TIMEOUT, interval: 50 })
        .toMatch(/no answer: /);
      expect(said(lamp.bootLog)).toContain(`${switcher.deviceId.slice(0, 8)} says lamp?`);
      expect(said(lamp.bootLog).join(' ')).not.toContain(intruder.deviceId.slice(0, 8));
      expect(said(intruder.bootLog).join(' ')).not.toContain('lamp is on');
    },
    TIMEOUT,
  );
});

/** A kernel with the app and a board on the wire, whose device attests at a service of the test's own time. */
async function boarded(
  service: DeviceWorld['service'],
  wire: PrivateNetwork,
  app: BuiltApp,
): Promise<KernelWorld> {
  const network = createBoardNetwork({
    privateNetwork: wire,
    now: () => service.clock.now(),
    resolve: (host) => (host === 'lamp.example' ? SERVER : null),
  });
  networks.push(network);
  const kernel = await KernelWorld.boot({ network, hasRealTls: true });
  kernel.installPackage(app.componentId, app.imagePackage);
  await kernel.services('appInstalled', app.componentId);
  return kernel;
}

describe('over the change of their tenant’s CA', () => {
  let years: DeviceWorld;
  beforeAll(async () => {
    years = await openDeviceWorld();
  }, TIMEOUT);
  afterAll(() => years.close());

  it(
    'devices speak with each other, whichever of them attests first',
    async () => {
      const { service, authorities, tenantId } = years;
      const { images } = await years.publish('26.11.0');
      const key = {
        thumbprint: thumbprint(platform.spki),
        sign: (message: Uint8Array) => platform.sign(message),
      };
      const built = await buildApps(
        [
          ['serve', SERVER],
          ['call', '192.168.100.11', 'lamp.example'],
        ].map((cmdArgs) => ({
          sourceDir: FOLDER,
          signer: key,
          manifestOverrides: { cmdArgs, deviceAuthentication: tenantId },
        })),
      );
      const [lampApp, switchApp] = built as [BuiltApp, BuiltApp];
      /** Attests, and gives the kernel what came of it; the serial of the authority. */
      const renew = async (kernel: KernelWorld, device: TestDevice): Promise<void> => {
        const { reply, client } = await years.certify(device);
        const identity: PortValue = { tenantId, chain: [...(reply.clientChain ?? [])], key: client.pkcs8 };
        await kernel.services('setClientIdentity', identity);
      };
      const makePair = async () => {
        const wire = new PrivateNetwork();
        const pair = [];
        for (const app of [lampApp, switchApp]) {
          const device = await years.makeDevice();
          device.running = images;
          const kernel = await boarded(service, wire, app);
          pair.push({ device, kernel, renew: () => renew(kernel, device) });
        }
        return pair;
      };
      type Pair = Awaited<ReturnType<typeof makePair>>;
      /** The next answer that the one that calls gets, or why it gets none. */
      const nextAnswer = async (pair: Pair): Promise<string> => {
        const heard = (): readonly string[] =>
          said(pair[1]?.kernel.log ?? []).filter((line) => /answer: /.test(line));
        const before = heard().length;
        const end = performance.now() + TIMEOUT / 4;
        while (heard().length === before && performance.now() < end) {
          for (const { kernel } of pair) await kernel.clock.advance(10);
          for (let turns = 0; turns < 10; turns += 1) await turn();
        }
        return heard().at(-1) ?? 'nothing';
      };
      const pairs = [await makePair(), await makePair()];
      for (const pair of pairs) {
        for (const { renew: attest } of pair) await attest();
        expect(await nextAnswer(pair)).toBe('answer: lamp is on');
      }
      // The next CA is made 90 days before the end of the first, and issues 45 days later.
      service.clock.advance(2 * 365 * DAY - 89 * DAY);
      await authorities.ensureTenantCa(tenantId);
      const next = (await authorities.ofTenant(tenantId)).find(({ status }) => status === 'Inactive');
      service.clock.advance((next?.activeFrom ?? 0) - service.clock.now() - DAY / 24);
      for (const pair of pairs) for (const { renew: attest } of pair) await attest();
      service.clock.advance(DAY / 12);
      for (const [first, pair] of pairs.entries()) {
        await pair[first]?.renew();
        expect(await nextAnswer(pair)).toBe('answer: lamp is on');
        await pair[1 - first]?.renew();
        expect(await nextAnswer(pair)).toBe('answer: lamp is on');
      }
      expect((await authorities.ofTenant(tenantId)).map(({ status }) => status)).toEqual([
        'Active',
        'Retired',
      ]);
    },
    TIMEOUT,
  );
});

import { X509Certificate } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ROUTES, type Client, type DeviceGroup, type Product } from '@sevenfold/api';
import {
  CHIP_FILES,
  manufacture,
  openDevice,
  readChipInfo,
  virtualBoard,
  type OsRelease,
  type VirtualDevice,
} from '@sevenfold/device';
import { CHIP_SKUS, SYSTEM_IMAGE_TYPES, utf8Encode } from '@sevenfold/formats';
import { openFileKeyStore } from '@sevenfold/pki';
import { allItems } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { checkNow, waitForRelease } from '../device-state.ts';
import { inWords, prove, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';
import { signerOf } from '../../platform/os-releases.ts';

export interface ManufactureStep extends StepResult {
  readonly deviceId: string;
  readonly attestationSpki: Uint8Array;
}

const chipFolder = (telling: Telling, name: string): string => join(telling.dataDir, 'devices', name);

/** Step 3: a chip is made, and its maker's endorsement reaches the service. An earlier start's chip is kept. */
export async function manufactureDevice(
  telling: Telling,
  client: Client,
  release: OsRelease,
  name: string,
): Promise<ManufactureStep> {
  const dir = chipFolder(telling, name);
  const present = await readChipInfo(dir);
  const isNew = present === null || present === 'unfinished';
  const info = isNew
    ? await manufacture({
        dir,
        sku: release.chipSku,
        images: release.images,
        rootKeyHash: release.rootKeyHash,
        entropy: telling.entropy,
      })
    : present;

  const keys = await openFileKeyStore(join(telling.dataDir, 'silicon-maker', 'keys'));
  const maker = await signerOf(keys, 'endorsement');
  const { makerId } = await client.call(ROUTES.createSiliconMaker, {
    body: { name: 'Sevenfold virtual silicon', spki: Buffer.from(maker.spki).toString('base64') },
  });
  const batch = `${JSON.stringify({
    deviceId: info.deviceId,
    spki: Buffer.from(info.attestationSpki).toString('base64'),
    chipSku: CHIP_SKUS[info.sku],
  })}\n`;
  const signature = Buffer.from(await maker.sign(utf8Encode(batch))).toString('base64');
  const { imported, known } = await client.call(ROUTES.importEndorsements, {
    body: { makerId, batch, signature },
  });
  prove(imported + known === 1, `The service took ${imported} new and ${known} known endorsements of one.`);
  return {
    deviceId: info.deviceId,
    attestationSpki: info.attestationSpki,
    proved: [
      `device ${info.deviceId}`,
      isNew
        ? `chip ${info.sku}: attestation key made inside Pluton, ${release.images.length} system images in slots A and B, state DeviceComplete`
        : `chip ${info.sku}: found from an earlier start`,
      `endorsement signed by the silicon maker: ${imported === 1 ? 'imported' : 'known already'}`,
    ],
    facts: { deviceId: info.deviceId },
  };
}

export interface ClaimStep extends StepResult {
  readonly deviceGroup: DeviceGroup;
}

/** Step 4: the device belongs to a tenant and stands in a product's device group. */
export async function claimDevice(
  client: Client,
  tenantId: string,
  deviceId: string,
  journal: Journal,
): Promise<ClaimStep> {
  const params = { tenantId };
  const products = await allItems<Product>((query) => client.call(ROUTES.products, { params, query }));
  const product =
    products.find((candidate) => candidate.name === 'Blinker') ??
    (await client.call(ROUTES.createProduct, {
      params,
      body: { name: 'Blinker', description: 'A lamp that reports' },
    }));
  const groups = await allItems<DeviceGroup>((query) => client.call(ROUTES.deviceGroups, { params, query }));
  const deviceGroup =
    groups.find(
      (candidate) => candidate.name === 'Field Test' && candidate.productId === product.productId,
    ) ??
    (await client.call(ROUTES.createDeviceGroup, {
      params,
      body: { productId: product.productId, name: 'Field Test' },
    }));
  const device = await client.call(ROUTES.claimDevice, {
    params,
    body: { deviceId, deviceGroupId: deviceGroup.deviceGroupId },
  });
  prove(device.deviceGroupId === deviceGroup.deviceGroupId, 'The device is not in its device group.');
  journal.acknowledge({ kind: 'device', id: deviceId, within: tenantId });
  return {
    deviceGroup,
    proved: [
      `claimed to its tenant, product ${product.name}, device group ${deviceGroup.name} (${deviceGroup.osFeed}, ${deviceGroup.updatePolicy})`,
    ],
    facts: { product: product.name, deviceGroup: deviceGroup.name },
  };
}

export interface BootStep extends StepResult {
  readonly device: VirtualDevice;
}

/**
 * A twin of a chip, bit for bit, on a bench without a network: what is done to it is not done to the device.
 * The device itself must be off. `end` takes the twin away.
 */
export async function openTwin(
  telling: Telling,
  name: string,
): Promise<{ readonly twin: VirtualDevice; readonly end: () => Promise<void> }> {
  const folder = chipFolder(telling, `${name}-twin`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const file of Object.values(CHIP_FILES)) {
    await copyFile(join(chipFolder(telling, name), file), join(folder, file));
  }
  const twin = await openDevice({
    dir: folder,
    entropy: telling.entropy,
    wiring: telling.wiring,
    network: { resolve: () => null },
    ...(telling.wiring === 'inline' ? { clock: telling.clock } : {}),
  });
  return {
    twin,
    end: async () => {
      await twin.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Opens the chip and boots it; rejects with `NotProved` if it does not come up. */
async function powerOn(telling: Telling, name: string): Promise<VirtualDevice> {
  const device = await openDevice({
    dir: chipFolder(telling, name),
    entropy: telling.entropy,
    wiring: telling.wiring,
    board: await virtualBoard(),
    ...(telling.wiring === 'inline' ? { clock: telling.clock } : {}),
  });
  // What the service UART says, for whoever wants to know why: the log of this start.
  const log = join(telling.dataDir, 'devices', `${name}.log`);
  writeFileSync(log, '');
  device.onLog((line) => appendFileSync(log, `${new Date(telling.clock.now()).toISOString()} ${line}\n`));
  const outcome = await telling.pass(() => device.boot());
  if (outcome.kind === 'running') return device;
  await device.close();
  throw new CliError(
    'NotProved',
    `The device did not boot (${outcome.kind}): ${device.bootLog.at(-1) ?? 'no log'}`,
  );
}

/** Step 5: each stage is loaded from flash, verified, measured and run by the one below it. */
export async function bootDevice(telling: Telling, name: string): Promise<BootStep> {
  const began = performance.now();
  const device = await powerOn(telling, name);
  const milliseconds = performance.now() - began;
  const lines = device.bootLog.filter((line) => / verified/.test(line));
  for (const type of SYSTEM_IMAGE_TYPES) {
    prove(
      lines.some((line) => line.includes(type)),
      `The boot log does not say that ${type} was verified:\n${device.bootLog.join('\n')}`,
    );
  }
  return {
    device,
    proved: [
      ...lines,
      `running after ${telling.wiring === 'inline' ? 'an instant of virtual time' : `${Math.round(milliseconds)} ms`}, wired ${telling.wiring}`,
    ],
    facts: { verified: SYSTEM_IMAGE_TYPES.join() },
  };
}

/** The remote attestation data of a device certificate. */
const ATTESTATION_EXTENSION = Buffer.from([0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x62, 0x01]);

/** Checks a device's chain with Node's own reader; answers the leaf. */
function checkChain(chain: readonly Uint8Array[], deviceId: string, now: number): X509Certificate {
  const certificates = chain.map((der) => new X509Certificate(der));
  const [leaf] = certificates;
  prove(leaf !== undefined, 'The device has no certificate.');
  for (const [index, certificate] of certificates.entries()) {
    const issuer = certificates[index + 1];
    if (!issuer) break;
    prove(
      certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey),
      `${certificate.subject} was not issued by ${issuer.subject}.`,
    );
  }
  prove(leaf.subject.includes(`CN=${deviceId}`), `The certificate is ${leaf.subject}, not the device.`);
  prove(
    leaf.validFromDate.getTime() <= now && now < leaf.validToDate.getTime(),
    'The certificate is not valid now.',
  );
  const hours = (leaf.validToDate.getTime() - now) / 3_600_000;
  prove(hours > 23.5 && hours <= 24.1, `The certificate is valid for ${hours.toFixed(1)} h.`);
  prove(leaf.keyUsage.includes('1.3.6.1.5.5.7.3.2'), 'The certificate is not for client authentication.');
  prove(leaf.raw.includes(ATTESTATION_EXTENSION), 'The certificate has no attestation data.');
  return leaf;
}

/** Step 6: the service believes the device, and the device has two certificates for two keys. */
export async function attestDevice(
  telling: Telling,
  client: Client,
  tenantId: string,
  device: VirtualDevice,
  osVersion: string,
): Promise<StepResult> {
  await checkNow(telling, device);
  // One of an earlier start may run an older release: it updates itself first, and restarts.
  const status = await waitForRelease(telling, device, osVersion);
  prove(status.tenantId === tenantId, 'The device was certified for another tenant.');
  const now = telling.clock.now();
  const leaf = checkChain(status.clientChain, device.deviceId, now);
  const update = checkChain(status.updateChain, device.deviceId, now);
  prove(
    !Buffer.from(leaf.publicKey.export({ type: 'spki', format: 'der' })).equals(
      update.publicKey.export({ type: 'spki', format: 'der' }),
    ),
    'Both certificates are for one key.',
  );
  prove(leaf.issuer !== update.issuer, 'One CA issued both certificates.');
  const seen = await client.call(ROUTES.device, { params: { tenantId, deviceId: device.deviceId } });
  prove(seen.attestation?.verdict === 'trusted', 'The service keeps another verdict.');
  return {
    proved: [
      `genuine: PSA token signed by the endorsed key, bound to this TLS connection and to both keys`,
      `trusted: ${seen.attestation.reasons.join('; ')}`,
      `client certificate: ${inWords(leaf.validToDate.getTime() - now)} left, clientAuth, attestation data, issued by ${leaf.issuer.split('\n').at(-1)}`,
      `update certificate: another key, issued by ${update.issuer.split('\n').at(-1)}`,
      'both chains verified with Node’s X509Certificate up to the root',
    ],
    facts: { verdict: seen.attestation.verdict },
  };
}

import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES } from '@sevenfold/api';
import { openDevice, type VirtualDevice } from '@sevenfold/device';
import { DEVICE_CAPABILITIES, type DeviceCapabilityName } from '@sevenfold/formats';
import {
  inTenant,
  positionals,
  tenantFlags,
  textFlag,
  type CliContext,
  type TenantFlags,
} from '../context.ts';
import { CliError } from '../errors.ts';

interface ChipFlags {
  readonly chip: string;
}
const chipFlags = { chip: textFlag('Folder of the chip, which must not be running', 'DIR') } as const;
/** How the files of a recovery set end. */
const PACKAGE_SUFFIX = '.imagepackage';

async function withDevice<T>(dir: string, work: (device: VirtualDevice) => Promise<T>): Promise<T> {
  const device = await openDevice({ dir, wiring: 'inline' });
  try {
    return await work(device);
  } finally {
    await device.close();
  }
}

async function bootedCapabilities(device: VirtualDevice): Promise<readonly string[]> {
  const outcome = await device.boot();
  if (outcome.kind !== 'running') {
    throw new CliError('NotProved', `The device does not run: ${device.bootLog.at(-1) ?? outcome.kind}`);
  }
  return (await device.status()).capabilities;
}

/** Every package of a folder: `RecoverySetIncomplete` says what is missing or there twice. */
async function readSet(folder: string): Promise<Uint8Array[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(PACKAGE_SUFFIX)).toSorted();
  return Promise.all(names.map(async (name) => new Uint8Array(await readFile(join(folder, name)))));
}

/** `sevenfold device recover`: at the service port of a chip on this machine. */
export const recoverCommand = buildCommand<ChipFlags & { readonly images: string }, [], CliContext>({
  docs: {
    brief: 'Rewrite all of a device’s flash from a recovery set',
    fullDescription:
      'Offline: the set is what `sevenfold os-release download` wrote. Nothing but its signatures decides, and nothing is touched before all of them hold. Apps and their storage are gone afterwards; the device keeps its identity and gets its apps again over the air.',
  },
  parameters: {
    flags: {
      ...chipFlags,
      images: textFlag(`Folder of the set: one image of each type, *${PACKAGE_SUFFIX}`, 'DIR'),
    },
  },
  async func({ chip, images }) {
    const set = await readSet(images);
    await withDevice(chip, async (device) => {
      const outcome = await device.recover(set);
      if (outcome.kind !== 'running') {
        throw new CliError('NotProved', `The device does not run: ${device.bootLog.at(-1) ?? outcome.kind}`);
      }
      this.process.stdout.write(`${device.deviceId} is recovered and runs.\n`);
    });
  },
});

interface DownloadFlags extends TenantFlags {
  readonly type?: readonly DeviceCapabilityName[];
  readonly output: string;
}

/** `sevenfold device capability …`: signed, per-device unlocks (azure-sphere.md §6.8). */
export const capabilityCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Signed unlocks of single devices' },
  routes: {
    download: buildCommand<DownloadFlags, [string], CliContext>({
      docs: {
        brief: 'Get a capability file for a device of the tenant; without --type one that locks it again',
      },
      parameters: {
        flags: {
          ...tenantFlags,
          type: {
            kind: 'enum',
            values: DEVICE_CAPABILITIES,
            variadic: true,
            optional: true,
            brief: 'What it enables; may be given twice',
          },
          output: { ...textFlag('Where it is written', 'FILE'), default: 'device.cap' },
        },
        positional: positionals({ brief: 'Device id: 64 hex digits', placeholder: 'DEVICE' }),
      },
      func: inTenant(
        async (client, tenantId, { type = [], output }: DownloadFlags, deviceId: string) => {
          const params = { tenantId, deviceId };
          const reply = await client.call(ROUTES.createDeviceCapability, {
            params,
            body: { capabilities: [...type] },
          });
          await writeFile(output, Buffer.from(reply.file, 'base64'), { mode: 0o600 });
          return { ...reply, output };
        },
        ({ output, capabilities }) => `${output} enables ${capabilities.join(' and ') || 'nothing'}.\n`,
      ),
    }),
    update: buildCommand<ChipFlags & { readonly file?: string }, [], CliContext>({
      docs: {
        brief: 'Put a capability file on an attached device; without --file the one it has is removed',
      },
      parameters: {
        flags: { ...chipFlags, file: { ...textFlag('The capability file', 'FILE'), optional: true } },
      },
      async func({ chip, file }) {
        const bytes = file === undefined ? null : new Uint8Array(await readFile(file));
        await withDevice(chip, async (device) => {
          await bootedCapabilities(device);
          await device.gateway.call('setCapability', bytes);
          await device.powerOff();
          const capabilities = await bootedCapabilities(device);
          this.process.stdout.write(`${device.deviceId}: ${capabilities.join(', ') || 'locked'}\n`);
        });
      },
    }),
    'show-attached': buildCommand<ChipFlags, [], CliContext>({
      docs: { brief: 'Show what an attached device is unlocked for' },
      parameters: { flags: chipFlags },
      func({ chip }) {
        return withDevice(chip, async (device) => {
          const capabilities = await bootedCapabilities(device);
          this.process.stdout.write(`${device.deviceId}: ${capabilities.join(', ') || 'locked'}\n`);
        });
      },
    }),
  },
});

/** Writes images as a recovery set. */
export async function writeRecoverySet(
  folder: string,
  images: readonly { readonly imageType: string; readonly package: string }[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const image of images) {
    await writeFile(
      join(folder, `${image.imageType}${PACKAGE_SUFFIX}`),
      Buffer.from(image.package, 'base64'),
    );
  }
}

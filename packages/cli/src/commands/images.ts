import { readFile } from 'node:fs/promises';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES, type Deployment, type Image, type OsRelease } from '@sevenfold/api';
import { IMAGE_TYPES, parseFileSystem, parseImagePackage, toHex } from '@sevenfold/formats';
import {
  allItems,
  findDeviceGroup,
  positionals,
  serviceFlags,
  tenantFlags,
  textFlag,
  atService,
  inTenant,
  type CliContext,
  type ServiceFlags,
  type TenantFlags,
} from '../context.ts';
import { CliError } from '../errors.ts';
import { printableJson } from '../printable.ts';
import { formatProperties, formatTable } from '../table.ts';

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new CliError(
      'FileError',
      `Cannot read ${path}: ${cause instanceof Error ? cause.message : 'unknown reason'}`,
      {
        cause,
      },
    );
  }
}

const formatImages = (images: readonly Image[]): string =>
  formatTable(
    images,
    [
      { heading: 'IMAGE', value: (image) => image.imageId },
      { heading: 'COMPONENT', value: (image) => image.componentId },
      { heading: 'NAME', value: (image) => image.name },
      { heading: 'TYPE', value: (image) => image.imageType },
      { heading: 'BYTES', value: (image) => String(image.size) },
      { heading: 'UPLOADED', value: (image) => image.uploadedAt },
      { heading: 'SYMBOLS', value: (image) => (image.hasSymbols ? 'yes' : 'no') },
    ],
    'No image uploaded yet.',
  );

const PACKAGE_FILE = { brief: 'The image package', placeholder: 'FILE' } as const;

export const imageCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Images of the tenant' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List images' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        (client, tenantId) =>
          allItems<Image>((query) => client.call(ROUTES.images, { params: { tenantId }, query })),
        formatImages,
      ),
    }),
    add: buildCommand<TenantFlags & { readonly symbols?: string }, [string], CliContext>({
      docs: { brief: 'Upload an image package; the service signs it' },
      parameters: {
        flags: { ...tenantFlags, symbols: { ...textFlag('Its symbol map', 'FILE'), optional: true } },
        positional: positionals(PACKAGE_FILE),
      },
      func: inTenant(
        async (client, tenantId, { symbols }, path) => {
          const image = await client.call(ROUTES.uploadImage, {
            params: { tenantId },
            body: await readInput(path),
          });
          if (symbols === undefined) return image;
          const params = { tenantId, imageId: image.imageId };
          return client.call(ROUTES.uploadSymbols, { params, body: await readInput(symbols) });
        },
        (image) => formatImages([image]),
      ),
    }),
  },
});

const formatDeployments = (deployments: readonly Deployment[]): string =>
  formatTable(
    deployments,
    [
      { heading: 'DEPLOYMENT', value: (deployment) => deployment.deploymentId },
      { heading: 'MADE', value: (deployment) => deployment.createdAt },
      {
        heading: 'IMAGES',
        value: (deployment) =>
          deployment.images.map((image) => `${image.name} (${image.imageId})`).join(', ') || 'none',
      },
    ],
    'No deployment yet.',
  );

type GroupFlags = TenantFlags & { readonly deviceGroup: string };
const groupFlags = {
  ...tenantFlags,
  deviceGroup: textFlag('The device group, by name or id', 'GROUP'),
} as const;

export const deploymentCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'What the devices of a group shall run' },
  routes: {
    list: buildCommand<GroupFlags, [], CliContext>({
      docs: { brief: 'List deployments, the one in force first' },
      parameters: { flags: groupFlags },
      func: inTenant(async (client, tenantId, { deviceGroup }) => {
        const { deviceGroupId } = await findDeviceGroup(client, tenantId, deviceGroup);
        const params = { tenantId, deviceGroupId };
        return allItems<Deployment>((query) => client.call(ROUTES.deployments, { params, query }));
      }, formatDeployments),
    }),
    create: buildCommand<GroupFlags, readonly string[], CliContext>({
      docs: { brief: 'Deploy images; none at all removes every application' },
      parameters: {
        flags: groupFlags,
        positional: {
          kind: 'array',
          parameter: { parse: (text: string) => text, brief: 'Image ids', placeholder: 'IMAGE' },
        },
      },
      func: inTenant(
        async (client, tenantId, { deviceGroup }, ...imageIds) => {
          const { deviceGroupId } = await findDeviceGroup(client, tenantId, deviceGroup);
          return client.call(ROUTES.createDeployment, {
            params: { tenantId, deviceGroupId },
            body: { imageIds },
          });
        },
        (deployment) => formatDeployments([deployment]),
      ),
    }),
  },
});

const formatReleases = (releases: readonly OsRelease[]): string =>
  formatTable(
    releases,
    [
      { heading: 'RELEASE', value: (release) => release.name },
      { heading: 'FEED', value: (release) => release.feed },
      { heading: 'CHIP SKU', value: (release) => String(release.chipSku) },
      { heading: 'PUBLISHED', value: (release) => release.createdAt },
      {
        heading: 'STATE',
        value: (release) => (release.revoked ? `revoked: ${release.revoked.reason}` : 'in the feed'),
      },
    ],
    'No OS release yet.',
  );

export const osReleaseCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Operating system releases and their feeds' },
  routes: {
    list: buildCommand<ServiceFlags, [], CliContext>({
      docs: { brief: 'List releases, newest first' },
      parameters: { flags: serviceFlags },
      func: atService(
        (client) => allItems<OsRelease>((query) => client.call(ROUTES.osReleases, { query })),
        formatReleases,
      ),
    }),
    revoke: buildCommand<ServiceFlags & { readonly reason: string }, [string], CliContext>({
      docs: {
        brief: 'Stop trusting a release: its devices must update before they get a client certificate',
      },
      parameters: {
        flags: { ...serviceFlags, reason: textFlag('Why, in words', 'TEXT') },
        positional: positionals({ brief: 'The release', placeholder: 'RELEASE' }),
      },
      func: atService(
        (client, { reason }, name) =>
          client.call(ROUTES.revokeOsRelease, { params: { name }, body: { reason } }),
        (release) => formatReleases([release]),
      ),
    }),
  },
});

const IMAGE_TYPE_NAMES = new Map<number, string>(
  Object.entries(IMAGE_TYPES).map(([name, value]) => [value, name]),
);

export const imagePackageCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Image packages on this machine' },
  routes: {
    show: buildCommand<{ readonly json: boolean }, [string], CliContext>({
      docs: { brief: 'Show what an image package says of itself and what it carries' },
      parameters: { flags: { json: serviceFlags.json }, positional: positionals(PACKAGE_FILE) },
      async func(flags, path) {
        const { fields, payload } = parseImagePackage(await readInput(path));
        const files = parseFileSystem(payload);
        const shown = {
          imageId: fields.imageId,
          componentId: fields.componentId,
          imageType: IMAGE_TYPE_NAMES.get(fields.imageType) ?? String(fields.imageType),
          name: fields.name,
          built: new Date(fields.buildTime * 1000).toISOString(),
          signer: toHex(fields.signerThumbprint),
          securityVersion: fields.securityVersion?.version ?? null,
          files: files.paths().map((file) => ({ path: file, bytes: files.read(file)?.length ?? 0 })),
        };
        this.process.stdout.write(
          flags.json
            ? `${printableJson(shown)}\n`
            : formatProperties([
                ['image', shown.imageId],
                ['component', shown.componentId],
                ['type', shown.imageType],
                ['name', shown.name],
                ['built', shown.built],
                ['signer (SHA-1 of its key)', shown.signer],
                ['security version', shown.securityVersion === null ? '–' : String(shown.securityVersion)],
                ['files', shown.files.map((file) => `${file.path}  ${file.bytes} bytes`)],
              ]),
        );
      },
    }),
  },
});

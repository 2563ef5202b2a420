import { writeFile } from 'node:fs/promises';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES, type Deployment, type Image, type ImageMaterials, type OsRelease } from '@sevenfold/api';
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
import { readInput } from '../read-input.ts';
import { formatTable } from '../table.ts';
import { CliError } from '../errors.ts';
import { buildRelease, nextVersion, publishRelease, publishedReleases } from '../platform/os-releases.ts';
import { writeRecoverySet } from './attached-devices.ts';
import { platformFlags } from './platform-keys.ts';

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
      { heading: 'MATERIALS', value: (image) => (image.hasMaterials ? 'yes' : 'no') },
    ],
    'No image uploaded yet.',
  );

/** One image, and what it was linked from where that is known. */
const formatShown = ({
  image,
  materials,
}: {
  readonly image: Image;
  readonly materials: ImageMaterials | null;
}): string => {
  if (materials === null) return formatImages([image]);
  const bill = formatTable(
    materials.components,
    [
      { heading: 'KIND', value: ({ type }) => type },
      { heading: 'LINKED', value: ({ name }) => name },
      { heading: 'VERSION', value: ({ version }) => version ?? '' },
      { heading: 'PACKAGE', value: ({ purl }) => purl ?? '' },
    ],
    'Its bill of materials is empty.',
  );
  return `${formatImages([image])}\n${bill}`;
};

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
    show: buildCommand<TenantFlags & { readonly sbom?: string }, [string], CliContext>({
      docs: { brief: 'Show an image and what it was linked from' },
      parameters: {
        flags: {
          ...tenantFlags,
          sbom: { ...textFlag('Write its bill of materials (CycloneDX) there', 'FILE'), optional: true },
        },
        positional: positionals({ brief: 'The image id', placeholder: 'IMAGE' }),
      },
      func: inTenant(async (client, tenantId, { sbom }, imageId) => {
        const params = { tenantId, imageId };
        const image = await client.call(ROUTES.image, { params });
        const materials = image.hasMaterials ? await client.call(ROUTES.materials, { params }) : null;
        if (sbom !== undefined) {
          if (materials === null) throw new CliError('NotFound', `${imageId} has no bill of materials.`);
          await writeFile(sbom, Buffer.from(materials.document, 'base64'));
        }
        return { image, materials };
      }, formatShown),
    }),
    add: buildCommand<
      TenantFlags & { readonly symbols?: string; readonly sbom?: string },
      [string],
      CliContext
    >({
      docs: { brief: 'Upload an image package; the service signs it' },
      parameters: {
        flags: {
          ...tenantFlags,
          symbols: { ...textFlag('Its symbol map', 'FILE'), optional: true },
          sbom: { ...textFlag('Its bill of materials (CycloneDX)', 'FILE'), optional: true },
        },
        positional: positionals(PACKAGE_FILE),
      },
      func: inTenant(
        async (client, tenantId, { symbols, sbom }, path) => {
          let image = await client.call(ROUTES.uploadImage, {
            params: { tenantId },
            body: await readInput(path),
          });
          const params = { tenantId, imageId: image.imageId };
          if (symbols !== undefined)
            image = await client.call(ROUTES.uploadSymbols, { params, body: await readInput(symbols) });
          if (sbom !== undefined)
            image = await client.call(ROUTES.uploadMaterials, { params, body: await readInput(sbom) });
          return image;
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

interface PublishFlags {
  readonly data: string;
  readonly feed: 'Retail' | 'RetailEval';
}
const feedFlag = {
  kind: 'enum',
  values: ['Retail', 'RetailEval'],
  default: 'Retail',
  brief: 'Feed of the release',
} as const;

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
    publish: buildCommand<ServiceFlags & PublishFlags, [], CliContext>({
      docs: { brief: 'Build the OS from this installation’s sources, sign and publish it' },
      parameters: { flags: { ...serviceFlags, ...platformFlags, feed: feedFlag } },
      func: atService(
        async (client, { data, feed }: PublishFlags) => {
          const release = await buildRelease(data, client, await nextVersion(client));
          return publishRelease(client, release, feed);
        },
        (release) => formatReleases([release]),
      ),
    }),
    download: buildCommand<ServiceFlags & { readonly output: string }, [string], CliContext>({
      docs: { brief: 'Write the images of a release as a recovery set for `device recover`' },
      parameters: {
        flags: { ...serviceFlags, output: textFlag('Folder that is written', 'DIR') },
        positional: positionals({ brief: 'The release', placeholder: 'RELEASE' }),
      },
      func: atService(
        async (client, { output }: { readonly output: string }, name: string) => {
          const release = (await publishedReleases(client)).find((one) => one.name === name);
          if (release === undefined) throw new CliError('NotFound', `There is no OS release ${name}.`);
          const images = await Promise.all(
            release.images.map(({ imageId }) => client.call(ROUTES.osImage, { params: { imageId } })),
          );
          await writeRecoverySet(output, images);
          return { output, images: images.length };
        },
        ({ output, images }) => `${output} holds ${images} images.\n`,
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

import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import { ROUTES, type Device, type DeviceGroup, type Product, type Tenant } from '@sevenfold/api';
import { CHIP_SKUS, type ChipSkuName } from '@sevenfold/formats';
import {
  allItems,
  findDeviceGroup,
  findProduct,
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
import { formatProperties, formatTable } from '../table.ts';
import { capabilityCommands, recoverCommand } from './attached-devices.ts';

// `Object.keys` of a constant object: the names are exactly its keys.
const VIRTUAL_SKUS = Object.keys(CHIP_SKUS) as ChipSkuName[];

const NAME = { brief: 'Its name', placeholder: 'NAME' } as const;

const formatTenants = (tenants: readonly Tenant[]): string =>
  formatTable(
    tenants,
    [
      { heading: 'TENANT', value: (tenant) => tenant.tenantId },
      { heading: 'NAME', value: (tenant) => tenant.name },
      { heading: 'VIRTUAL CHIPS', value: (tenant) => tenant.allowedVirtualSkus.join(', ') || 'none allowed' },
    ],
    'No tenant yet.',
  );

export const tenantCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Groups of devices, each an isolation boundary with a CA of its own' },
  routes: {
    list: buildCommand<ServiceFlags, [], CliContext>({
      docs: { brief: 'List tenants' },
      parameters: { flags: serviceFlags },
      func: atService(
        (client) => allItems<Tenant>((query) => client.call(ROUTES.tenants, { query })),
        formatTenants,
      ),
    }),
    create: buildCommand<ServiceFlags & { readonly allowVirtual: boolean }, [string], CliContext>({
      docs: { brief: 'Make a tenant and its CA' },
      parameters: {
        flags: {
          ...serviceFlags,
          allowVirtual: { kind: 'boolean', default: false, brief: 'Let it have devices with virtual chips' },
        },
        positional: positionals(NAME),
      },
      func: atService(
        (client, { allowVirtual }, name) =>
          client.call(ROUTES.createTenant, {
            body: { name, allowedVirtualSkus: allowVirtual ? VIRTUAL_SKUS : [] },
          }),
        (tenant) => formatTenants([tenant]),
      ),
    }),
    'allow-virtual': virtualCommand('Let the tenant have devices with virtual chips', VIRTUAL_SKUS),
    'forbid-virtual': virtualCommand('Refuse devices with virtual chips from their next request on', []),
  },
});

function virtualCommand(
  brief: string,
  allowedVirtualSkus: ChipSkuName[],
): ReturnType<typeof buildCommand<TenantFlags, [], CliContext>> {
  return buildCommand<TenantFlags, [], CliContext>({
    docs: { brief },
    parameters: { flags: tenantFlags },
    func: inTenant(
      (client, tenantId) =>
        client.call(ROUTES.updateTenant, { params: { tenantId }, body: { allowedVirtualSkus } }),
      (tenant) => formatTenants([tenant]),
    ),
  });
}

const formatProducts = (products: readonly Product[]): string =>
  formatTable(
    products,
    [
      { heading: 'PRODUCT', value: (product) => product.productId },
      { heading: 'NAME', value: (product) => product.name },
      { heading: 'DESCRIPTION', value: (product) => product.description },
    ],
    'No product yet.',
  );

export const productCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Models of connected devices' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List products' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        (client, tenantId) =>
          allItems<Product>((query) => client.call(ROUTES.products, { params: { tenantId }, query })),
        formatProducts,
      ),
    }),
    create: buildCommand<TenantFlags, [string], CliContext>({
      docs: { brief: 'Make a product' },
      parameters: { flags: tenantFlags, positional: positionals(NAME) },
      func: inTenant(
        (client, tenantId, _flags, name) =>
          client.call(ROUTES.createProduct, { params: { tenantId }, body: { name } }),
        (product) => formatProducts([product]),
      ),
    }),
  },
});

const formatGroups = (groups: readonly DeviceGroup[]): string =>
  formatTable(
    groups,
    [
      { heading: 'DEVICE GROUP', value: (group) => group.deviceGroupId },
      { heading: 'NAME', value: (group) => group.name },
      { heading: 'OS FEED', value: (group) => group.osFeed },
      { heading: 'APPLICATION UPDATE', value: (group) => group.updatePolicy },
    ],
    'No device group yet.',
  );

interface CreateGroupFlags extends TenantFlags {
  readonly product: string;
  readonly osFeed: 'Retail' | 'RetailEval';
  readonly applicationUpdate: 'UpdateAll' | 'No3rdPartyAppUpdates';
}

export const deviceGroupCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Groupings of a product’s devices: what a deployment aims at' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List device groups' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        (client, tenantId) =>
          allItems<DeviceGroup>((query) => client.call(ROUTES.deviceGroups, { params: { tenantId }, query })),
        formatGroups,
      ),
    }),
    create: buildCommand<CreateGroupFlags, [string], CliContext>({
      docs: { brief: 'Make a device group' },
      parameters: {
        flags: {
          ...tenantFlags,
          product: textFlag('Its product, by name or id', 'PRODUCT'),
          osFeed: { kind: 'enum', values: ['Retail', 'RetailEval'], default: 'Retail', brief: 'OS feed' },
          applicationUpdate: {
            kind: 'enum',
            values: ['UpdateAll', 'No3rdPartyAppUpdates'],
            default: 'UpdateAll',
            brief: 'Whether its devices get applications from the service',
          },
        },
        positional: positionals(NAME),
      },
      func: inTenant(
        async (client, tenantId, { product, osFeed, applicationUpdate }, name) => {
          const { productId } = await findProduct(client, tenantId, product);
          const body = { productId, name, osFeed, updatePolicy: applicationUpdate };
          return client.call(ROUTES.createDeviceGroup, { params: { tenantId }, body });
        },
        (group) => formatGroups([group]),
      ),
    }),
  },
});

const formatDevices = (devices: readonly Device[]): string =>
  formatTable(
    devices,
    [
      { heading: 'DEVICE', value: (device) => device.deviceId },
      { heading: 'OS', value: (device) => device.osVersion ?? '–' },
      {
        heading: 'VERDICT',
        value: (device) => (device.blocked ? 'blocked' : (device.attestation?.verdict ?? '–')),
      },
      { heading: 'LAST SEEN', value: (device) => device.lastSeen ?? 'never' },
    ],
    'No device claimed yet.',
  );

/** A line that only stands where there is something to say. */
function optionalLine(name: string, value: string | null): readonly [string, string][] {
  return value === null ? [] : [[name, value]];
}

/** A device with everything a support person asks first: state, verdict and why, what it runs. */
function formatDevice(device: Device): string {
  return formatProperties([
    ['device', device.deviceId],
    ['chip SKU', String(device.chipSku)],
    ['device group', device.deviceGroupId ?? 'unassigned'],
    ['claimed', device.claimedAt],
    ['last seen', device.lastSeen ?? 'never'],
    ['OS', device.osVersion ?? '–'],
    ['blocked', device.blocked ? 'yes' : 'no'],
    [
      'verdict',
      device.attestation ? `${device.attestation.verdict} at ${device.attestation.time}` : 'none yet',
    ],
    ['why', device.attestation?.reasons ?? []],
    [
      'claims',
      (device.attestation?.claims ?? []).map(
        ({ claim, status, reasons }) => `${claim.padEnd(18)} ${status.padEnd(16)} ${reasons.join(' ')}`,
      ),
    ],
    ...optionalLine('must reach', device.attestation?.requiredRelease ?? null),
    ...optionalLine(
      'refused',
      device.refusal && `${device.refusal.code} at ${device.refusal.time}: ${device.refusal.message}`,
    ),
    ['comes back', device.attestation?.nextCheck ?? 'unknown'],
    [
      'installed',
      device.installedImages.map(
        (image) => `${image.imageType.padEnd(18)} image ${image.imageId}  ${image.digest.slice(0, 16)}…`,
      ),
    ],
  ]);
}

const DEVICE = { brief: 'Device id: 64 hex digits', placeholder: 'DEVICE' } as const;

export const deviceCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Claimed devices' },
  routes: {
    list: buildCommand<TenantFlags, [], CliContext>({
      docs: { brief: 'List devices' },
      parameters: { flags: tenantFlags },
      func: inTenant(
        (client, tenantId) =>
          allItems<Device>((query) => client.call(ROUTES.devices, { params: { tenantId }, query })),
        formatDevices,
      ),
    }),
    show: buildCommand<TenantFlags, [string], CliContext>({
      docs: { brief: 'Show a device: its verdict and why, and what it runs' },
      parameters: { flags: tenantFlags, positional: positionals(DEVICE) },
      func: inTenant(
        (client, tenantId, _flags, deviceId) =>
          client.call(ROUTES.device, { params: { tenantId, deviceId } }),
        formatDevice,
      ),
    }),
    claim: buildCommand<TenantFlags & { readonly deviceGroup?: string }, [string], CliContext>({
      docs: { brief: 'Claim a genuine device for the tenant' },
      parameters: {
        flags: { ...tenantFlags, deviceGroup: { ...textFlag('Its device group', 'GROUP'), optional: true } },
        positional: positionals(DEVICE),
      },
      func: inTenant(async (client, tenantId, { deviceGroup }, deviceId) => {
        const group = deviceGroup === undefined ? null : await findDeviceGroup(client, tenantId, deviceGroup);
        const body = group === null ? { deviceId } : { deviceId, deviceGroupId: group.deviceGroupId };
        return client.call(ROUTES.claimDevice, { params: { tenantId }, body });
      }, formatDevice),
    }),
    assign: buildCommand<TenantFlags & { readonly deviceGroup: string }, [string], CliContext>({
      docs: { brief: 'Move a device to another device group' },
      parameters: {
        flags: { ...tenantFlags, deviceGroup: textFlag('The device group', 'GROUP') },
        positional: positionals(DEVICE),
      },
      func: inTenant(async (client, tenantId, { deviceGroup }, deviceId) => {
        const { deviceGroupId } = await findDeviceGroup(client, tenantId, deviceGroup);
        return client.call(ROUTES.updateDevice, {
          params: { tenantId, deviceId },
          body: { deviceGroupId },
        });
      }, formatDevice),
    }),
    release: buildCommand<TenantFlags, [string], CliContext>({
      docs: { brief: 'Give a device up: refused until a tenant claims it again' },
      parameters: { flags: tenantFlags, positional: positionals(DEVICE) },
      func: inTenant(
        (client, tenantId, _flags, deviceId) =>
          client.call(ROUTES.releaseDevice, { params: { tenantId, deviceId } }),
        ({ deviceId, releasedAt }) => `${deviceId} was released at ${releasedAt}.`,
      ),
    }),
    recover: recoverCommand,
    capability: capabilityCommands,
    block: blockCommand('Refuse the device from its next request on', true),
    unblock: blockCommand('Take a block back', false),
  },
});

function blockCommand(
  brief: string,
  blocked: boolean,
): ReturnType<typeof buildCommand<TenantFlags, [string], CliContext>> {
  return buildCommand<TenantFlags, [string], CliContext>({
    docs: { brief },
    parameters: { flags: tenantFlags, positional: positionals(DEVICE) },
    func: inTenant(
      (client, tenantId, _flags, deviceId) =>
        client.call(ROUTES.updateDevice, { params: { tenantId, deviceId }, body: { blocked } }),
      formatDevice,
    ),
  });
}

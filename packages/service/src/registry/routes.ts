import type { Device } from '@sevenfold/api';
import { callerOf, toTime, type Handlers } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { claimDevice } from './claim-device.ts';
import { issueCapability } from './device-capability.ts';
import { createDeviceGroup, getDeviceGroup, listDeviceGroups, updateDeviceGroup } from './device-groups.ts';
import { getDevice, listDevices, updateDevice, type ClaimedDevice } from './devices.ts';
import { createProduct, listProducts } from './products.ts';
import { releaseDevice } from './release-device.ts';
import { createTenant, getTenant, listTenants, updateTenant, type TenantAuthorities } from './tenants.ts';

type RegistryHandlers = Pick<
  Handlers,
  | 'tenants'
  | 'createTenant'
  | 'tenant'
  | 'updateTenant'
  | 'products'
  | 'createProduct'
  | 'deviceGroups'
  | 'createDeviceGroup'
  | 'deviceGroup'
  | 'updateDeviceGroup'
  | 'devices'
  | 'claimDevice'
  | 'device'
  | 'updateDevice'
  | 'releaseDevice'
  | 'createDeviceCapability'
>;

/** What other capabilities know about a device beyond the registry. */
type DeviceState = Pick<Device, 'lastSeen' | 'attestation' | 'refusal' | 'osVersion' | 'installedImages'>;

export type RegistryContext = Pick<ServiceContext, 'store' | 'keys' | 'clock' | 'entropy'> & {
  readonly authorities: TenantAuthorities;
  readonly deviceState: (device: {
    readonly deviceId: string;
    readonly tenantId: string;
  }) => Promise<DeviceState>;
};

/** Answers the routes of `REGISTRY_ROUTES`. */
export function registryHandlers(context: RegistryContext): RegistryHandlers {
  const db = context.store.read;
  const toDevice = async (device: ClaimedDevice): Promise<Device> => ({
    ...withTime(device, 'claimedAt'),
    ...(await context.deviceState(device)),
  });
  return {
    async tenants(request) {
      const { items, next } = await listTenants(context, callerOf(request), request.query);
      return { items: items.map(withCreation), next };
    },
    createTenant: async ({ body }) => withCreation(await createTenant(context, body.name, body)),
    tenant: async ({ params }) => withCreation(await getTenant(context, params.tenantId)),
    updateTenant: async ({ params, body }) =>
      withCreation(await updateTenant(context, params.tenantId, body)),
    async products({ params, query }) {
      const { items, next } = await listProducts(context, params.tenantId, query);
      return { items: items.map(withCreation), next };
    },
    createProduct: async ({ params, body }) =>
      withCreation(await createProduct(context, params.tenantId, body)),
    async deviceGroups({ params, query }) {
      const { items, next } = await listDeviceGroups(context, params.tenantId, query);
      return { items: items.map(withCreation), next };
    },
    createDeviceGroup: async ({ params, body }) =>
      withCreation(await createDeviceGroup(context, params.tenantId, body)),
    deviceGroup: async ({ params }) =>
      withCreation(await getDeviceGroup(db, params.tenantId, params.deviceGroupId)),
    updateDeviceGroup: async ({ params, body }) =>
      withCreation(await updateDeviceGroup(context, params.tenantId, params.deviceGroupId, body)),
    async devices({ params, query }) {
      const { items, next } = await listDevices(context, params.tenantId, query);
      return { items: await Promise.all(items.map(toDevice)), next };
    },
    claimDevice: async ({ params, body }) => toDevice(await claimDevice(context, params.tenantId, body)),
    device: async ({ params }) => toDevice(await getDevice(db, params.tenantId, params.deviceId)),
    updateDevice: async ({ params, body }) =>
      toDevice(await updateDevice(context, params.tenantId, params.deviceId, body)),
    async createDeviceCapability({ params, body }) {
      const { tenantId, deviceId } = params;
      const capabilities = [...new Set(body.capabilities)];
      const file = await issueCapability(context, tenantId, deviceId, capabilities);
      return { deviceId, capabilities, file: Buffer.from(file).toString('base64') };
    },
    releaseDevice: async ({ params }) =>
      withTime(await releaseDevice(context, params.tenantId, params.deviceId), 'releasedAt'),
  };
}

function withCreation<Thing extends { readonly createdAt: number }>(
  thing: Thing,
): Omit<Thing, 'createdAt'> & { createdAt: string } {
  return withTime(thing, 'createdAt');
}

function withTime<Thing, Key extends keyof Thing>(
  thing: Thing & Record<Key, number>,
  key: Key,
): Omit<Thing, Key> & Record<Key, string> {
  return { ...thing, [key]: toTime(thing[key]) };
}

import { toHex, utf8Encode } from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, spkiSha256 } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importBatch } from '../manufacturing/import-batch.ts';
import { registerSiliconMaker } from '../manufacturing/silicon-makers.ts';
import { openTestService, type TestService } from '../test-service.ts';
import { claimDevice } from './claim-device.ts';
import { createDeviceGroup, listDeviceGroups, updateDeviceGroup } from './device-groups.ts';
import { findDevice, getDevice, listDevices, updateDevice } from './devices.ts';
import { createProduct } from './products.ts';
import {
  createTenant,
  findTenant,
  listTenants,
  updateTenant,
  type Tenant,
  type TenantSettings,
} from './tenants.ts';

const NOBODY = 'f'.repeat(64);

describe('the registry', () => {
  let service: TestService;
  let own: Tenant;
  let other: Tenant;
  let ensured: string[];
  let makers = 0;
  const tenant = (name: string, settings: TenantSettings = { allowedVirtualSkus: ['SF-V1'] }) =>
    createTenant(
      {
        ...service,
        authorities: {
          ensureTenantCa: async (tenantId) => {
            ensured.push(tenantId);
          },
        },
      },
      name,
      settings,
    );
  beforeEach(async () => {
    service = await openTestService();
    ensured = [];
    own = await tenant('Contoso');
    other = await tenant('Fabrikam');
  });
  afterEach(() => service.close());

  const group = async (tenantId: string, name = 'Production', productName = 'Oven') => {
    const { productId } = await createProduct(service, tenantId, { name: productName });
    return createDeviceGroup(service, tenantId, { productId, name });
  };
  /** A device that a silicon maker has endorsed. */
  const endorsedDevice = async (chipSku = 1): Promise<string> => {
    const maker = generateKeyPair();
    const { makerId } = await registerSiliconMaker(service, {
      name: `Maker ${(makers += 1)}`,
      spki: maker.spki,
    });
    const { spki } = generateKeyPair();
    const deviceId = toHex(spkiSha256(spki));
    const line = JSON.stringify({ deviceId, spki: Buffer.from(spki).toString('base64'), chipSku });
    const lines = utf8Encode(`${line}\n`);
    await importBatch(service, { makerId, lines, signature: signWithPkcs8(maker.pkcs8, lines) });
    return deviceId;
  };

  it('lets no tenant have virtual chips that did not allow them', async () => {
    const { tenantId } = await tenant('Northwind', {});
    const deviceId = await endorsedDevice();
    await expect(claimDevice(service, tenantId, { deviceId })).rejects.toMatchObject({
      code: 'ChipNotAllowed',
      field: 'deviceId',
    });
    expect(await updateTenant(service, tenantId, { allowedVirtualSkus: ['SF-V1'] })).toMatchObject({
      allowedVirtualSkus: ['SF-V1'],
    });
    expect(await claimDevice(service, tenantId, { deviceId })).toMatchObject({ deviceId, tenantId });
    // Real silicon needs no leave.
    const { tenantId: strict } = await tenant('Litware', {});
    const real = await endorsedDevice(77);
    expect(await claimDevice(service, strict, { deviceId: real })).toMatchObject({ chipSku: 77 });
    await expect(updateTenant(service, NOBODY, {})).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('makes a tenant with an authority of its own; names are unique without case', async () => {
    expect(ensured).toEqual([own.tenantId, other.tenantId]);
    await expect(tenant('CONTOSO')).rejects.toMatchObject({ code: 'AlreadyExists', field: 'name' });
    expect(await findTenant(service, own.tenantId)).toEqual(own);
  });

  it('has no tenant whose authority could not be made', async () => {
    const authorities = { ensureTenantCa: () => Promise.reject(new Error('key store is full')) };
    await expect(createTenant({ ...service, authorities }, 'Northwind')).rejects.toThrow('key store is full');
    const everything = { principalId: '', name: '', role: 'Reader', tenantId: null, createdAt: 0 } as const;
    expect((await listTenants(service, everything, {})).items).toHaveLength(2);
    expect((await listTenants(service, { ...everything, tenantId: own.tenantId }, {})).items).toEqual([own]);
  });

  it('makes products and device groups inside of their tenant alone', async () => {
    const made = await group(own.tenantId);
    expect(made).toMatchObject({ osFeed: 'Retail', updatePolicy: 'UpdateAll', description: '' });
    await expect(
      createDeviceGroup(service, other.tenantId, { productId: made.productId, name: 'Mine' }),
    ).rejects.toMatchObject({ code: 'NotFound', field: 'productId' });
    await expect(
      createDeviceGroup(service, own.tenantId, { productId: made.productId, name: 'production' }),
    ).rejects.toMatchObject({ code: 'AlreadyExists', field: 'name' });
    await expect(createProduct(service, own.tenantId, { name: 'OVEN' })).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
    expect((await listDeviceGroups(service, other.tenantId, {})).items).toEqual([]);
  });

  it('changes a device group, but neither another tenant’s nor to a taken name', async () => {
    const made = await group(own.tenantId);
    await createDeviceGroup(service, own.tenantId, { productId: made.productId, name: 'Field Test' });
    const changed = await updateDeviceGroup(service, own.tenantId, made.deviceGroupId, {
      osFeed: 'RetailEval',
    });
    expect(changed).toEqual({ ...made, osFeed: 'RetailEval' });
    await expect(
      updateDeviceGroup(service, own.tenantId, made.deviceGroupId, { name: 'field test' }),
    ).rejects.toMatchObject({ code: 'AlreadyExists' });
    await expect(updateDeviceGroup(service, other.tenantId, made.deviceGroupId, {})).rejects.toMatchObject({
      code: 'NotFound',
      field: 'deviceGroupId',
    });
  });

  it('claims a genuine device, for good and for one tenant', async () => {
    const deviceId = await endorsedDevice();
    const { deviceGroupId } = await group(own.tenantId);
    expect(await findDevice(service.store.read, deviceId)).toMatchObject({
      tenantId: null,
      chipSku: 1,
      blocked: false,
    });
    const claimed = await claimDevice(service, own.tenantId, { deviceId, deviceGroupId });
    expect(claimed).toMatchObject({
      deviceId,
      tenantId: own.tenantId,
      deviceGroupId,
      chipSku: 1,
      blocked: false,
    });
    service.clock.advance(1000);
    expect(await claimDevice(service, own.tenantId, { deviceId })).toEqual(claimed);
    await expect(claimDevice(service, other.tenantId, { deviceId })).rejects.toMatchObject({
      code: 'DeviceClaimedElsewhere',
      field: 'deviceId',
    });
    await expect(getDevice(service.store.read, other.tenantId, deviceId)).rejects.toMatchObject({
      code: 'NotFound',
    });
    expect((await listDevices(service, other.tenantId, {})).items).toEqual([]);
  });

  it('gives a device that two tenants claim at once to one of them', async () => {
    const deviceId = await endorsedDevice();
    const outcomes = await Promise.allSettled([
      claimDevice(service, own.tenantId, { deviceId }),
      claimDevice(service, other.tenantId, { deviceId }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('refuses a device that nobody has endorsed, and a group of another tenant', async () => {
    await expect(claimDevice(service, own.tenantId, { deviceId: NOBODY })).rejects.toMatchObject({
      code: 'DeviceNotGenuine',
      field: 'deviceId',
    });
    expect(await findDevice(service.store.read, NOBODY)).toBeNull();
    const deviceId = await endorsedDevice();
    const { deviceGroupId } = await group(other.tenantId);
    await expect(claimDevice(service, own.tenantId, { deviceId, deviceGroupId })).rejects.toMatchObject({
      code: 'NotFound',
      field: 'deviceGroupId',
    });
    expect(await findDevice(service.store.read, deviceId)).toMatchObject({ tenantId: null });
  });

  it('moves and blocks a device of its own', async () => {
    const deviceId = await endorsedDevice();
    const { deviceGroupId } = await group(own.tenantId);
    await claimDevice(service, own.tenantId, { deviceId });
    expect(await updateDevice(service, own.tenantId, deviceId, { deviceGroupId })).toMatchObject({
      deviceGroupId,
    });
    expect(await updateDevice(service, own.tenantId, deviceId, { blocked: true })).toMatchObject({
      deviceGroupId,
      blocked: true,
    });
    expect(await findDevice(service.store.read, deviceId)).toMatchObject({ blocked: true });
    expect((await listDevices(service, own.tenantId, { deviceGroupId })).items).toHaveLength(1);
    expect(await updateDevice(service, own.tenantId, deviceId, { deviceGroupId: null })).toMatchObject({
      deviceGroupId: null,
    });
    expect((await listDevices(service, own.tenantId, { deviceGroupId })).items).toEqual([]);
    await expect(updateDevice(service, other.tenantId, deviceId, { blocked: false })).rejects.toMatchObject({
      code: 'NotFound',
    });
  });
});

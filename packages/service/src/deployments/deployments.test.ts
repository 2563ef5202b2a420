import { FLASH_MAP } from '@sevenfold/formats';
import { generateKeyPair } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appImagePackage, imageIdOf } from '../images/testing-images.ts';
import { uploadImage } from '../images/upload-image.ts';
import { createDeviceGroup } from '../registry/device-groups.ts';
import { createProduct } from '../registry/products.ts';
import { createTenant } from '../registry/tenants.ts';
import { openTestService, type TestService } from '../test-service.ts';
import { createDeployment, currentForGroup, listDeployments } from './deployments.ts';

describe('deployments', () => {
  let service: TestService;
  let tenantId: string;
  let other: string;
  let groupId: string;
  const key = generateKeyPair();
  beforeEach(async () => {
    service = await openTestService();
    const authorities = { ensureTenantCa: () => Promise.resolve() };
    ({ tenantId } = await createTenant({ ...service, authorities }, 'Contoso'));
    ({ tenantId: other } = await createTenant({ ...service, authorities }, 'Fabrikam'));
    const { productId } = await createProduct(service, tenantId, { name: 'Oven' });
    ({ deviceGroupId: groupId } = await createDeviceGroup(service, tenantId, {
      productId,
      name: 'Production',
    }));
    for (const number of [1, 2]) await upload(number);
  });
  afterEach(() => service.close());

  const upload = (number: number, componentId?: string, owner = tenantId, code = 'code') =>
    uploadImage(
      service,
      owner,
      appImagePackage({
        imageId: imageIdOf(number),
        key,
        code,
        ...(componentId === undefined ? {} : { componentId }),
      }),
    );
  const deploy = (...numbers: number[]) =>
    createDeployment(service, tenantId, groupId, numbers.map(imageIdOf));
  const inForce = async () =>
    (await currentForGroup(service.store.read, groupId))?.images.map(({ imageId }) => imageId);

  it('put the newest list in force, an empty one too', async () => {
    expect(await inForce()).toBeUndefined();
    await deploy(1);
    expect(await inForce()).toEqual([imageIdOf(1)]);
    await deploy(2);
    expect(await inForce()).toEqual([imageIdOf(2)]);
    await deploy();
    expect(await inForce()).toEqual([]);
    const { items } = await listDeployments(service, tenantId, groupId, {});
    expect(items.map(({ images }) => images.length)).toEqual([0, 1, 1]);
  });

  it('page from the newest to the oldest', async () => {
    for (const number of [1, 2, 1, 2, 1]) await deploy(number);
    const first = await listDeployments(service, tenantId, groupId, { limit: 3 });
    const second = await listDeployments(service, tenantId, groupId, { limit: 3, after: first.next ?? '' });
    expect([first.items.length, second.items.length, second.next]).toEqual([3, 2, null]);
    await expect(listDeployments(service, tenantId, groupId, { after: 'x' })).rejects.toMatchObject({
      code: 'InvalidRequest',
      field: 'after',
    });
  });

  it('are one when the same list is asked for twice', async () => {
    expect(await deploy(1)).toEqual(await deploy(1));
    expect((await listDeployments(service, tenantId, groupId, {})).items).toHaveLength(1);
  });

  it('refuse lists that no device can run, and change nothing', async () => {
    const { most, bytes } = FLASH_MAP.applications;
    const many = Array.from({ length: most + 1 }, (_, index) => 100 + index);
    for (const number of many) await upload(number, imageIdOf(number));
    for (const number of [10, 11]) await upload(number, imageIdOf(number), tenantId, 'x'.repeat(bytes / 2));
    await upload(20, undefined, other);
    await deploy(1);
    const refused = async (numbers: number[], problem: object) =>
      expect(deploy(...numbers)).rejects.toMatchObject(problem);
    await refused([99], { code: 'NotFound', field: 'imageIds.0' });
    await refused([1, 20], { code: 'NotFound', field: 'imageIds.1' });
    await refused([1, 2], { code: 'ImageNotDeployable', field: 'imageIds.1', rule: 'one image a component' });
    const rule = `at most ${most}, of ${bytes} bytes in all`;
    await refused(many, { code: 'ImageNotDeployable', field: 'imageIds', rule });
    await refused([10, 11], { code: 'ImageNotDeployable', field: 'imageIds', rule });
    await expect(createDeployment(service, other, groupId, [])).rejects.toMatchObject({
      code: 'NotFound',
      field: 'deviceGroupId',
    });
    expect(await inForce()).toEqual([imageIdOf(1)]);
  });
});

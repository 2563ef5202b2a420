import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { deleteDevice, replaceReleased, selectDevice } from './queries.ts';

/**
 * Gives a device up: from its next request on it is refused, until a tenant claims it again. Its client certificate
 * ends within 24 hours by itself. `NotFound` for a device that is not the tenant's own.
 */
export async function releaseDevice(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  tenantId: string,
  deviceId: string,
): Promise<{ readonly deviceId: string; readonly releasedAt: number }> {
  const releasedAt = context.clock.now();
  await context.store.write(async (tx) => {
    const row = await selectDevice(tx, deviceId);
    if (row === undefined || row.tenantId !== tenantId) {
      throw new ServiceError('NotFound', `There is no device "${deviceId}".`, { field: 'deviceId' });
    }
    await deleteDevice(tx, deviceId);
    await replaceReleased(tx, { deviceId, tenantId, releasedAt });
  });
  return { deviceId, releasedAt };
}

import { findEndorsement } from '../manufacturing/find-endorsement.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { getDeviceGroup } from './device-groups.ts';
import { toClaimedDevice, type ClaimedDevice } from './devices.ts';
import { requireChipAllowed } from './tenants.ts';
import { deleteReleased, insertDevice, selectDevice, updateDeviceRow } from './queries.ts';

/**
 * Binds a genuine device to a tenant. Claiming what is one's own again is no error; a group that is named then moves
 * it. `DeviceNotGenuine` without an endorsement, `ChipNotAllowed` for virtual silicon where the tenant does not allow it,
 * `DeviceClaimedElsewhere`, `NotFound` for a group that is not its own.
 */
export async function claimDevice(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  tenantId: string,
  claim: { readonly deviceId: string; readonly deviceGroupId?: string | undefined },
): Promise<ClaimedDevice> {
  const { deviceId, deviceGroupId } = claim;
  return context.store.write(async (tx) => {
    const endorsement = await findEndorsement(tx, deviceId);
    if (endorsement === null) {
      throw new ServiceError('DeviceNotGenuine', 'No silicon maker has endorsed this device.', {
        field: 'deviceId',
        rule: 'the device is in an endorsement batch that was imported',
      });
    }
    await requireChipAllowed(tx, tenantId, endorsement.chipSku);
    if (deviceGroupId !== undefined) await getDeviceGroup(tx, tenantId, deviceGroupId);
    const present = await selectDevice(tx, deviceId);
    if (present === undefined) {
      const row = {
        deviceId,
        tenantId,
        deviceGroupId: deviceGroupId ?? null,
        chipSku: endorsement.chipSku,
        blocked: 0,
        claimedAt: context.clock.now(),
      };
      await insertDevice(tx, row);
      await deleteReleased(tx, deviceId);
      return toClaimedDevice(row);
    }
    if (present.tenantId !== tenantId) {
      throw new ServiceError('DeviceClaimedElsewhere', 'Another tenant has claimed this device.', {
        field: 'deviceId',
        rule: 'a device belongs to one tenant; its owner has to release it first',
      });
    }
    const next = { ...present, deviceGroupId: deviceGroupId ?? present.deviceGroupId };
    if (next.deviceGroupId !== present.deviceGroupId) await updateDeviceRow(tx, deviceId, next);
    return toClaimedDevice(next);
  });
}

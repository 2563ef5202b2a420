import { ROUTES, type Client, type OsRelease } from '@sevenfold/api';
import { allItems } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { isRefusal } from '../../profile.ts';
import type { Acknowledged, Journal } from '../journal.ts';

/** Whether the service still knows what it acknowledged. */
async function isThere(
  client: Client,
  entry: Acknowledged,
  releases: readonly OsRelease[],
): Promise<boolean> {
  const tenantId = entry.within ?? '';
  switch (entry.kind) {
    case 'tenant':
      await client.call(ROUTES.tenant, { params: { tenantId: entry.id } });
      return true;
    case 'device':
      await client.call(ROUTES.device, { params: { tenantId, deviceId: entry.id } });
      return true;
    case 'image':
      await client.call(ROUTES.image, { params: { tenantId, imageId: entry.id } });
      return true;
    case 'errorGroup':
      await client.call(ROUTES.errorGroup, { params: { tenantId, groupId: entry.id } });
      return true;
    case 'release':
      return releases.some((release) => release.name === entry.id);
    case 'deployment': {
      const [deviceGroupTenant = '', deviceGroupId = ''] = tenantId.split('/');
      const params = { tenantId: deviceGroupTenant, deviceGroupId };
      const deployments = await allItems((query) => client.call(ROUTES.deployments, { params, query }));
      return deployments.some((deployment) => deployment.deploymentId === entry.id);
    }
    default:
      return entry.kind satisfies never;
  }
}

/** Looks up everything that an earlier run was told is done. Rejects with `NotProved` naming what is lost. */
export async function checkAcknowledged(client: Client, journal: Journal): Promise<number> {
  const releases = await allItems<OsRelease>((query) => client.call(ROUTES.osReleases, { query }));
  const entries = journal.entries();
  for (const entry of entries) {
    const found = await isThere(client, entry, releases).catch((error: unknown) => {
      if (isRefusal(error, 'NotFound')) return false;
      throw error;
    });
    if (!found)
      throw new CliError('NotProved', `The ${entry.kind} ${entry.id} was acknowledged and is lost.`);
  }
  return entries.length;
}

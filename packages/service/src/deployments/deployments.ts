import { FLASH_MAP, guidFromRandom } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import { findImage } from '../images/images.ts';
import type { StoredImage } from '../images/image.ts';
import { getDeviceGroup } from '../registry/device-groups.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import {
  insertDeployment,
  selectDeployments,
  selectNewestDeployment,
  type DeploymentRow,
} from './queries.ts';

/** What the devices of a group shall run. `createdAt` in ms since 1970. */
export interface Deployment {
  readonly deploymentId: string;
  readonly deviceGroupId: string;
  readonly images: readonly StoredImage[];
  readonly createdAt: number;
}

/**
 * Puts a new list of images in force for a group; the list that is in force already is answered as it is.
 * `NotFound` for a group or an image that is not the tenant's, `ImageNotDeployable` for a list that no device can run.
 */
export async function createDeployment(
  context: Pick<ServiceContext, 'store' | 'clock' | 'entropy'>,
  tenantId: string,
  deviceGroupId: string,
  imageIds: readonly string[],
): Promise<Deployment> {
  return context.store.write(async (tx) => {
    await getDeviceGroup(tx, tenantId, deviceGroupId);
    const images = await readImages(tx, tenantId, imageIds);
    refuseUnrunnable(images);
    const newest = await selectNewestDeployment(tx, deviceGroupId);
    const list = JSON.stringify(imageIds);
    if (newest?.imageIds === list) return toDeployment(newest, images);
    const row: DeploymentRow = {
      deploymentId: guidFromRandom(context.entropy.random(16)),
      tenantId,
      deviceGroupId,
      sequence: (newest?.sequence ?? 0) + 1,
      imageIds: list,
      createdAt: context.clock.now(),
    };
    await insertDeployment(tx, row);
    return toDeployment(row, images);
  });
}

/** What a group's devices shall run now: null before the first deployment. O(1) in the size of the fleet. */
export async function currentForGroup(
  db: Kysely<Database>,
  deviceGroupId: string,
): Promise<Deployment | null> {
  const row = await selectNewestDeployment(db, deviceGroupId);
  return row === undefined
    ? null
    : toDeployment(row, await readImages(db, row.tenantId, parseIds(row.imageIds)));
}

/** Deployments of the tenant's group, newest first. */
export async function listDeployments(
  { store }: Pick<ServiceContext, 'store'>,
  tenantId: string,
  deviceGroupId: string,
  page: { readonly limit?: number | undefined; readonly after?: string | undefined },
): Promise<{ items: Deployment[]; next: string | null }> {
  await getDeviceGroup(store.read, tenantId, deviceGroupId);
  const rows = await selectDeployments(
    store.read,
    deviceGroupId,
    parseSequence(page.after),
    rowsToFetch(page),
  );
  const shown = toPage(
    rows,
    page,
    (row) => String(row.sequence),
    async (row) => toDeployment(row, await readImages(store.read, tenantId, parseIds(row.imageIds))),
  );
  return { items: await Promise.all(shown.items), next: shown.next };
}

async function readImages(
  db: Kysely<Database>,
  tenantId: string,
  imageIds: readonly string[],
): Promise<StoredImage[]> {
  const images: StoredImage[] = [];
  for (const [index, imageId] of imageIds.entries()) {
    const image = await findImage(db, imageId);
    if (image === null || image.tenantId !== tenantId) {
      throw new ServiceError('NotFound', `There is no image "${imageId}".`, { field: `imageIds.${index}` });
    }
    images.push(image);
  }
  return images;
}

function refuseUnrunnable(images: readonly StoredImage[]): void {
  const { most, bytes } = FLASH_MAP.applications;
  if (images.length > most || images.reduce((sum, { size }) => sum + size, 0) > bytes) {
    throw new ServiceError('ImageNotDeployable', 'A device has no room for so many applications.', {
      field: 'imageIds',
      rule: `at most ${most}, of ${bytes} bytes in all`,
    });
  }
  const seen = new Set<string>();
  for (const [index, { componentId }] of images.entries()) {
    if (seen.has(componentId)) {
      throw new ServiceError('ImageNotDeployable', `Two images are of the component ${componentId}.`, {
        field: `imageIds.${index}`,
        rule: 'one image a component',
      });
    }
    seen.add(componentId);
  }
}

function toDeployment(row: DeploymentRow, images: readonly StoredImage[]): Deployment {
  return {
    deploymentId: row.deploymentId,
    deviceGroupId: row.deviceGroupId,
    images,
    createdAt: row.createdAt,
  };
}

function parseIds(stored: string): string[] {
  const ids: unknown = JSON.parse(stored);
  if (!Array.isArray(ids)) throw new Error('the database holds a deployment without a list');
  return ids.map(String);
}

/** A position in a list that is ordered by sequence: the `next` of the page before. */
export function parseSequence(untrusted: string | undefined): number | undefined {
  if (untrusted === undefined) return undefined;
  if (!/^[1-9][0-9]{0,9}$/.test(untrusted)) {
    throw new ServiceError('InvalidRequest', 'This names no place in the list.', {
      field: 'after',
      rule: 'the `next` of the page before',
    });
  }
  return Number(untrusted);
}

import { getImage } from '../images/images.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import type { ErrorGroup, ErrorGroupState } from './error-group.ts';
import {
  selectGroup,
  selectGroupImages,
  selectGroupsOfTenant,
  updateGroup,
  type ErrorGroupImageRow,
  type ErrorGroupRow,
} from './queries.ts';
import { readExample, readVersions } from './stored-example.ts';

type StoreContext = Pick<ServiceContext, 'store'>;

/** A page of the tenant's groups, last seen first; `next` names where the next page begins. */
export async function listErrorGroups(
  { store }: StoreContext,
  tenantId: string,
  page: { readonly limit?: number | undefined; readonly after?: string | undefined } = {},
): Promise<{ readonly items: readonly ErrorGroup[]; readonly next: string | null }> {
  const rows = await selectGroupsOfTenant(store.read, tenantId, rowsToFetch(page), parsePosition(page.after));
  const { items, next } = toPage(
    rows,
    page,
    (row) => `${row.lastSeen}.${row.groupId}`,
    (row) => row,
  );
  const groupIds = items.map((row) => row.groupId);
  const images = await selectGroupImages(store.read, groupIds);
  const imagesOf = (row: ErrorGroupRow): readonly ErrorGroupImageRow[] =>
    images.filter((image) => image.groupId === row.groupId);
  return { items: items.map((row) => toGroup(row, imagesOf(row))), next };
}

function parsePosition(after: string | undefined): { lastSeen: number; groupId: string } | null {
  if (after === undefined) return null;
  const parts = /^([0-9]{1,15})\.([0-9a-f]{32})$/u.exec(after);
  if (parts?.[1] === undefined || parts[2] === undefined) {
    throw new ServiceError('InvalidRequest', 'This names no place in the list.', {
      field: 'after',
      rule: 'the `next` of the page before',
    });
  }
  return { lastSeen: Number(parts[1]), groupId: parts[2] };
}

/** One group of the tenant; `NotFound` for that of another. */
export async function getErrorGroup(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  tenantId: string,
  groupId: string,
): Promise<ErrorGroup> {
  const row = await selectGroup(context.store.read, groupId);
  if (row === undefined || row.tenantId !== tenantId) throw groupNotFound(groupId);
  return toGroup(row, await selectGroupImages(context.store.read, [groupId]));
}

/**
 * Marks the group as fixed in an image of the tenant and of the component that fails. Failures of older images keep being counted, those of this or a newer image reopen it.
 */
export async function markErrorGroupFixed(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  tenantId: string,
  groupId: string,
  imageId: string,
): Promise<ErrorGroup> {
  await context.store.write(async (tx) => {
    const image = await getImage(tx, tenantId, imageId);
    const row = await selectGroup(tx, groupId);
    if (row === undefined || row.tenantId !== tenantId) throw groupNotFound(groupId);
    if (row.componentId !== image.componentId) {
      throw new ServiceError('Conflict', 'The image is of another component than the one that fails.', {
        field: 'imageId',
        rule: `an image of component ${row.componentId}`,
      });
    }
    await updateGroup(tx, groupId, {
      state: 'Fixed',
      fixedImageId: imageId,
      fixedAt: context.clock.now(),
    });
  });
  return getErrorGroup(context, tenantId, groupId);
}

function groupNotFound(groupId: string): ServiceError {
  return new ServiceError('NotFound', `There is no error group "${groupId}".`, { field: 'groupId' });
}

const KINDS: readonly ErrorGroup['kind'][] = ['AppCrash', 'AppExit', 'OsFallback', 'OsFailure'];
const STATES: readonly ErrorGroupState[] = ['Open', 'Fixed', 'Regressed'];

function toGroup(row: ErrorGroupRow, images: readonly ErrorGroupImageRow[]): ErrorGroup {
  return {
    groupId: row.groupId,
    tenantId: row.tenantId,
    fingerprint: row.fingerprint,
    title: row.title,
    kind: oneOf(KINDS, row.kind),
    componentId: row.componentId,
    state: oneOf(STATES, row.state),
    count: row.count,
    deviceCount: row.deviceCount,
    firstSeen: row.firstSeen,
    lastSeen: row.lastSeen,
    osVersions: readVersions(row.osVersions),
    images: images.map(({ imageId, count, firstSeen, lastSeen }) => ({
      imageId,
      count,
      firstSeen,
      lastSeen,
    })),
    fixedImageId: row.fixedImageId,
    fixedAt: row.fixedAt,
    example: readExample(row.example),
  };
}

function oneOf<Word extends string>(words: readonly Word[], stored: string): Word {
  const word = words.find((known) => known === stored);
  if (word === undefined) throw new Error(`the database holds the unknown word "${stored}"`);
  return word;
}

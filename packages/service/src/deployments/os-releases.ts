import type { OsFeed } from '@sevenfold/api';
import { IMAGE_TYPES, SYSTEM_IMAGE_TYPES } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import { parseFeed } from '../registry/device-groups.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { parseSequence } from './deployments.ts';
import { imageKeysOf, trustsAll } from './image-keys.ts';
import { KeptReferences } from './kept-references.ts';
import { toOsImage, type OsImage } from './os-images.ts';
import {
  insertOsRelease,
  selectHighestReleaseSequence,
  selectImagesOfRelease,
  selectOsImage,
  selectOsImageByDigest,
  selectOsRelease,
  selectOsReleases,
  selectPublishedImages,
  selectReleaseInForce,
  selectReleasesByDigest,
  selectSuccessor,
  updateRevocation,
  type OsReleaseRow,
} from './queries.ts';

/** The images of an operating system that belong together. Times in ms since 1970. */
export interface OsRelease {
  readonly name: string;
  readonly feed: OsFeed;
  readonly chipSku: number;
  readonly images: readonly OsImage[];
  readonly createdAt: number;
  readonly revoked: { readonly reason: string; readonly time: number } | null;
}

/** What is known about a measured system image. */
export interface ReferenceValue {
  /** Names of the releases that hold it, newest first; empty for an image that was uploaded but never published. */
  readonly releases: readonly string[];
  readonly imageType: OsImage['imageType'];
  readonly name: string;
  /** SHA-256 of the signer's SPKI, hex; null where that is not known. */
  readonly signerId: string | null;
  /** Every release that holds it is revoked. */
  readonly revoked: boolean;
  readonly securityVersion: number;
  /** Place of the newest of those releases that is not revoked among all; 0 for none. */
  readonly sequence: number;
}

/**
 * Publishes a release: one image of each system type, all for its chip SKU. The same release again is no error.
 * `IncompleteRelease`, `NotFound`, `AlreadyExists` for other content under the same name; `KeystoreLacksSigner` for one
 * that no device could boot.
 */
export async function createOsRelease(
  context: Pick<ServiceContext, 'store' | 'blobs' | 'clock'>,
  release: {
    readonly name: string;
    readonly feed: OsFeed;
    readonly chipSku: number;
    readonly imageIds: readonly string[];
  },
): Promise<OsRelease> {
  const published = await context.store.write(async (tx) => {
    const known = await selectOsRelease(tx, release.name);
    if (known !== undefined) return sameRelease(await toOsRelease(tx, known), release);
    const images = await readOsImages(tx, release.imageIds);
    refuseIncomplete(images, release.chipSku);
    await refuseUnbootable(context, images);
    const row: OsReleaseRow = {
      name: release.name,
      feed: release.feed,
      chipSku: release.chipSku,
      sequence: (await selectHighestReleaseSequence(tx)) + 1,
      createdAt: context.clock.now(),
      revokedAt: null,
      revokedReason: null,
    };
    await insertOsRelease(tx, row, images);
    return toOsRelease(tx, row);
  });
  forgetReferences(context.store);
  return published;
}

/** Stops trusting a release; one that is revoked already stays as it is. `NotFound`. */
export async function revokeOsRelease(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  name: string,
  reason: string,
): Promise<OsRelease> {
  const revoked = await context.store.write(async (tx) => {
    const row = await selectOsRelease(tx, name);
    if (row === undefined) {
      throw new ServiceError('NotFound', `There is no OS release "${name}".`, { field: 'name' });
    }
    if (row.revokedAt !== null) return toOsRelease(tx, row);
    const revokedAt = context.clock.now();
    await updateRevocation(tx, name, revokedAt, reason);
    return toOsRelease(tx, { ...row, revokedAt, revokedReason: reason });
  });
  forgetReferences(context.store);
  return revoked;
}

/** Releases, newest first. */
export async function listOsReleases(
  { store }: Pick<ServiceContext, 'store'>,
  page: { readonly limit?: number | undefined; readonly after?: string | undefined },
): Promise<{ items: OsRelease[]; next: string | null }> {
  const rows = await selectOsReleases(store.read, parseSequence(page.after), rowsToFetch(page));
  const shown = toPage(
    rows,
    page,
    (row) => String(row.sequence),
    (row) => toOsRelease(store.read, row),
  );
  return { items: await Promise.all(shown.items), next: shown.next };
}

/**
 * The release in force on a feed for a chip SKU, null before the first. What is published to everybody is good for
 * evaluation, too: `RetailEval` sees the newest release of both feeds.
 */
export async function currentForFeed(
  db: Kysely<Database>,
  feed: OsFeed,
  chipSku: number,
): Promise<OsRelease | null> {
  const row = await selectReleaseInForce(db, feedsOf(feed), chipSku);
  return row === undefined ? null : toOsRelease(db, row);
}

/** The keystores of all releases for a chip SKU that still hold, each once. */
export async function publishedKeystores(db: Kysely<Database>, chipSku: number): Promise<readonly OsImage[]> {
  return (await selectPublishedImages(db, IMAGE_TYPES.TrustedKeystore, chipSku)).map(toOsImage);
}

/** What a measured digest (SHA-256 of a whole package, hex) belongs to; null for bytes that were never uploaded. */
export async function referenceFor(db: Kysely<Database>, digest: string): Promise<ReferenceValue | null> {
  const row = await selectOsImageByDigest(db, digest);
  if (row === undefined) return null;
  const image = toOsImage(row);
  const releases = await selectReleasesByDigest(db, digest);
  return {
    releases: releases.map((release) => release.name),
    imageType: image.imageType,
    name: image.name,
    signerId: row.signerId,
    revoked: releases.length > 0 && releases.every((release) => release.revokedAt !== null),
    securityVersion: image.securityVersion,
    sequence: releases.find((release) => release.revokedAt === null)?.sequence ?? 0,
  };
}

const keptCurrent = new KeptReferences<OsRelease>();
const keptByDigest = new KeptReferences<ReferenceValue>();
const keptByOthers = new Set<KeptReferences<unknown>>();

function forgetReferences(store: ServiceContext['store']): void {
  keptCurrent.forget(store);
  keptByDigest.forget(store);
  for (const kept of keptByOthers) kept.forget(store);
}

/** A place for `most` things that others conclude from the published releases: it is empty again after each release. */
export function keepConclusions<T>(most: number): KeptReferences<T> {
  const kept = new KeptReferences<T>(most);
  keptByOthers.add(kept);
  return kept;
}

/** As `currentForFeed`, over what is committed, for those who ask often. */
export function publishedForFeed(
  store: ServiceContext['store'],
  feed: OsFeed,
  chipSku: number,
): Promise<OsRelease | null> {
  return keptCurrent.get(store, `${feed} ${chipSku}`, () => currentForFeed(store.read, feed, chipSku));
}

/** As `referenceFor`, over what is committed, for those who ask often. */
export function publishedReference(
  store: ServiceContext['store'],
  digest: string,
): Promise<ReferenceValue | null> {
  return keptByDigest.get(store, digest, () => referenceFor(store.read, digest));
}

/**
 * When (ms since 1970) the next release after the one at `sequence` was published to devices of this feed and chip SKU;
 * null while there is none. Revoked ones do not count: nobody was asked to install them.
 */
export async function supersededAt(
  db: Kysely<Database>,
  feed: OsFeed,
  chipSku: number,
  sequence: number,
): Promise<number | null> {
  return (await selectSuccessor(db, feedsOf(feed), chipSku, sequence))?.createdAt ?? null;
}

/** What is published to everybody is good for evaluation, too. */
function feedsOf(feed: OsFeed): readonly OsFeed[] {
  return feed === 'RetailEval' ? ['RetailEval', 'Retail'] : ['Retail'];
}

async function readOsImages(db: Kysely<Database>, imageIds: readonly string[]): Promise<OsImage[]> {
  const images: OsImage[] = [];
  for (const [index, imageId] of imageIds.entries()) {
    const row = await selectOsImage(db, imageId);
    if (row === undefined) {
      throw new ServiceError('NotFound', `There is no OS image "${imageId}".`, {
        field: `imageIds.${index}`,
      });
    }
    images.push(toOsImage(row));
  }
  return images;
}

/** A keystore that lacks a key of its own release's images would make every device that takes it refuse them. */
async function refuseUnbootable(
  { blobs }: Pick<ServiceContext, 'blobs'>,
  images: readonly OsImage[],
): Promise<void> {
  const keys = await Promise.all(images.map(async ({ digest }) => imageKeysOf(await blobs.read(digest))));
  const keystore = keys.find((image) => image?.keystore)?.keystore ?? null;
  for (const [index, { imageType }] of images.entries()) {
    const image = keys[index];
    const isRoots = imageType === 'TrustedKeystore';
    if (image && keystore !== null && (isRoots || trustsAll(keystore, [image]))) continue;
    throw new ServiceError(
      'KeystoreLacksSigner',
      `The keystore lacks the key that signed the ${imageType}.`,
      {
        field: `imageIds.${index}`,
        rule: 'a keystore that devices can read, with the key of each image of the release, for its type',
      },
    );
  }
}

function refuseIncomplete(images: readonly OsImage[], chipSku: number): void {
  for (const type of SYSTEM_IMAGE_TYPES) {
    const count = images.filter((image) => image.imageType === type).length;
    if (count !== 1) {
      throw new ServiceError('IncompleteRelease', `The release has ${count} images of type ${type}.`, {
        field: 'imageIds',
        rule: `one image each of ${SYSTEM_IMAGE_TYPES.join(', ')}`,
      });
    }
  }
  const foreign = images.findIndex((image) => image.chipSku !== chipSku);
  if (foreign >= 0) {
    throw new ServiceError('IncompleteRelease', 'An image is for another chip SKU.', {
      field: `imageIds.${foreign}`,
      rule: `chip SKU ${chipSku}`,
    });
  }
}

function sameRelease(
  known: OsRelease,
  wanted: { readonly feed: OsFeed; readonly chipSku: number; readonly imageIds: readonly string[] },
): OsRelease {
  const knownIds = new Set(known.images.map((image) => image.imageId));
  const isSame =
    known.feed === wanted.feed &&
    known.chipSku === wanted.chipSku &&
    knownIds.size === wanted.imageIds.length &&
    wanted.imageIds.every((imageId) => knownIds.has(imageId));
  if (isSame) return known;
  throw new ServiceError('AlreadyExists', `There is another OS release "${known.name}" already.`, {
    field: 'name',
    rule: 'a release never changes',
  });
}

async function toOsRelease(db: Kysely<Database>, row: OsReleaseRow): Promise<OsRelease> {
  const images = (await selectImagesOfRelease(db, row.name)).map(toOsImage);
  const order = (image: OsImage): number => SYSTEM_IMAGE_TYPES.indexOf(image.imageType);
  return {
    name: row.name,
    feed: parseFeed(row.feed),
    chipSku: row.chipSku,
    images: images.sort((a, b) => order(a) - order(b)),
    createdAt: row.createdAt,
    revoked: row.revokedAt === null ? null : { time: row.revokedAt, reason: row.revokedReason ?? '' },
  };
}

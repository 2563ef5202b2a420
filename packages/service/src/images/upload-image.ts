import { parseImagePackage } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import { findOsImage } from '../deployments/os-images.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { checkApplication } from './check-application.ts';
import { contentDigestOf, toStoredImage, type StoredImage } from './image.ts';
import { signImage } from './image-signer.ts';
import { countImages, insertImage, selectImage, type ImageRow } from './queries.ts';

/** Images of one tenant: 1 MiB each at most, and none ever goes. */
const MOST_IMAGES = 5000;

/**
 * Takes in an application's image package: checked, signed by the service, kept. The same image again – whatever
 * signature it carries – is no error. Errors: those of the package's parsers; `ImageNotDeployable`; `ImageConflict`
 * for other content under an image id that is known; `TooManyImages`.
 */
export async function uploadImage(
  context: Pick<ServiceContext, 'store' | 'blobs' | 'keys' | 'clock'>,
  tenantId: string,
  untrustedPackage: Uint8Array,
  mostImages = MOST_IMAGES,
): Promise<StoredImage> {
  const image = parseImagePackage(untrustedPackage);
  checkApplication(image);
  const contentDigest = contentDigestOf(image);
  const { imageId, componentId, imageType, name, buildTime } = image.fields;

  const known = await findSame(context.store.read, tenantId, imageId, contentDigest);
  if (known !== null) return toStoredImage(known);
  // Before the bytes are kept, and again with the row: the first is what keeps the disk from filling.
  await requireRoom(context.store.read, tenantId, mostImages);

  const signed = await signImage(context.keys, image);
  const digest = await context.blobs.put(signed);
  return context.store.write(async (tx) => {
    const meanwhile = await findSame(tx, tenantId, imageId, contentDigest);
    if (meanwhile !== null) return toStoredImage(meanwhile);
    await requireRoom(tx, tenantId, mostImages);
    const row: ImageRow = {
      imageId,
      tenantId,
      componentId,
      imageType,
      name,
      size: signed.length,
      digest,
      contentDigest,
      buildTime,
      uploadedAt: context.clock.now(),
      symbolsDigest: null,
      materialsDigest: null,
    };
    await insertImage(tx, row);
    return toStoredImage(row);
  });
}

async function requireRoom(db: Kysely<Database>, tenantId: string, most: number): Promise<void> {
  if ((await countImages(db, tenantId)) < most) return;
  throw new ServiceError('TooManyImages', 'The tenant has as many images as a tenant may have.', {
    field: 'tenantId',
    rule: `at most ${most} images`,
  });
}

/** The row of this very image; null where the id is free; `ImageConflict` where it is another's, a system image's too. */
async function findSame(
  db: Kysely<Database>,
  tenantId: string,
  imageId: string,
  contentDigest: string,
): Promise<ImageRow | null> {
  const row = await selectImage(db, imageId);
  if (row?.tenantId === tenantId && row.contentDigest === contentDigest) return row;
  if (row === undefined && (await findOsImage(db, imageId)) === null) return null;
  throw new ServiceError('ImageConflict', `The image id ${imageId} belongs to another image.`, {
    field: 'imageId',
    rule: 'an image never changes: each build has an id of its own',
  });
}

import {
  parseFileSystem,
  parseImagePackage,
  signedBytesOf,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  toHex,
  type ImagePackage,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { spkiSha256, verifySignature } from '@sevenfold/pki';
import type { Kysely } from 'kysely';
import { contentDigestOf, typeNameOf } from '../images/image.ts';
import { findImage } from '../images/images.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { findPlatformKey } from './platform-keys.ts';
import { insertOsImage, selectOsImage, type OsImageRow } from './queries.ts';

/** A system image. `digest`: SHA-256 (hex) of the whole package, the reference value of attestation. */
export interface OsImage {
  readonly imageId: string;
  readonly componentId: string;
  readonly imageType: SystemImageTypeName;
  readonly name: string;
  readonly size: number;
  readonly digest: string;
  readonly chipSku: number;
  readonly securityVersion: number;
}

/**
 * Takes in a system image exactly as the platform signed it. The same bytes again are no error.
 * Errors: those of the package's parsers; `ImageNotDeployable`, `UntrustedSigner`, `ImageConflict`.
 */
export async function uploadOsImage(
  context: Pick<ServiceContext, 'store' | 'blobs' | 'clock'>,
  untrustedPackage: Uint8Array,
): Promise<OsImage> {
  const image = parseImagePackage(untrustedPackage);
  const signer = await verifyPlatformSignature(context, image);
  const { version: securityVersion, chipSku } = checkSystemImage(image);
  const { imageId, componentId, imageType, name } = image.fields;
  const contentDigest = contentDigestOf(image);

  const known = await findStored(context.store.read, imageId, contentDigest);
  if (known !== null) return toOsImage(known);
  const digest = await context.blobs.put(untrustedPackage);
  return context.store.write(async (tx) => {
    const meanwhile = await findStored(tx, imageId, contentDigest);
    if (meanwhile !== null) return toOsImage(meanwhile);
    const row: OsImageRow = {
      imageId,
      componentId,
      imageType,
      name,
      size: untrustedPackage.length,
      digest,
      contentDigest,
      chipSku,
      securityVersion,
      uploadedAt: context.clock.now(),
      signerId: toHex(spkiSha256(signer)),
    };
    await insertOsImage(tx, row);
    return toOsImage(row);
  });
}

/** The system image of that id; null where there is none. */
export async function findOsImage(db: Kysely<Database>, imageId: string): Promise<OsImage | null> {
  const row = await selectOsImage(db, imageId);
  return row === undefined ? null : toOsImage(row);
}

export function toOsImage(row: OsImageRow): OsImage {
  return {
    imageId: row.imageId,
    componentId: row.componentId,
    imageType: systemTypeOf(row.imageType),
    name: row.name,
    size: row.size,
    digest: row.digest,
    chipSku: row.chipSku,
    securityVersion: row.securityVersion,
  };
}

/** The row of the same image; null where the id is free; `ImageConflict` where it is another's. */
async function findStored(
  db: Kysely<Database>,
  imageId: string,
  contentDigest: string,
): Promise<OsImageRow | null> {
  const row = await selectOsImage(db, imageId);
  if (row?.contentDigest === contentDigest) return row;
  if (row === undefined && (await findImage(db, imageId)) === null) return null;
  throw new ServiceError('ImageConflict', `The image id ${imageId} belongs to another image.`, {
    field: 'imageId',
    rule: 'an image never changes: each build has an id of its own',
  });
}

/** The SPKI of the platform key that signed it. */
async function verifyPlatformSignature(
  { store }: Pick<ServiceContext, 'store'>,
  image: ImagePackage,
): Promise<Uint8Array> {
  const key = await findPlatformKey(store.read, image.fields.signerThumbprint);
  if (key === null) {
    throw new ServiceError('UntrustedSigner', 'The image is not signed by a registered platform key.', {
      field: 'signerThumbprint',
      rule: 'the thumbprint of a registered platform key',
    });
  }
  if (!verifySignature(key.spki, signedBytesOf(image), image.signature)) {
    throw new ServiceError('UntrustedSigner', "The image's signature does not hold.", {
      field: 'signature',
      rule: 'ECDSA P-256 with SHA-256 over everything before the signature',
    });
  }
  return key.spki;
}

/** What every system image has: its type's own component id, a security version for a chip SKU, a file system. */
function checkSystemImage(image: ImagePackage): { readonly version: number; readonly chipSku: number } {
  const type = systemTypeOf(image.fields.imageType);
  if (image.fields.componentId !== SYSTEM_COMPONENT_IDS[type]) {
    throw new ServiceError('ImageNotDeployable', `The component id is not that of ${type}.`, {
      field: 'componentId',
      rule: SYSTEM_COMPONENT_IDS[type],
    });
  }
  if (image.fields.securityVersion === undefined) {
    throw new ServiceError('ImageNotDeployable', 'A system image names its security version and chip SKU.', {
      field: 'securityVersion',
      rule: 'section SV of the metadata',
    });
  }
  parseFileSystem(image.payload);
  return image.fields.securityVersion;
}

function systemTypeOf(imageType: number): SystemImageTypeName {
  const name = typeNameOf(imageType);
  const type = SYSTEM_IMAGE_TYPES.find((known) => known === name);
  if (type === undefined) {
    throw new ServiceError('ImageNotDeployable', `${name} is not an image of an OS release.`, {
      field: 'imageType',
      rule: SYSTEM_IMAGE_TYPES.join(', '),
    });
  }
  return type;
}

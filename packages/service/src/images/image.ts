import { createHash } from 'node:crypto';
import { imageTypeName, replaceSigner, type ImagePackage, type ImageTypeName } from '@sevenfold/formats';
import type { ImageRow } from './queries.ts';

/** An application image of a tenant. Times in ms since 1970; `digest` and `size` are of the package that devices get. */
export interface StoredImage {
  readonly imageId: string;
  readonly tenantId: string;
  readonly componentId: string;
  readonly imageType: ImageTypeName;
  readonly name: string;
  readonly size: number;
  readonly digest: string;
  readonly buildTime: number;
  readonly uploadedAt: number;
  readonly symbolsDigest: string | null;
  readonly materialsDigest: string | null;
}

export function toStoredImage(row: ImageRow): StoredImage {
  return {
    imageId: row.imageId,
    tenantId: row.tenantId,
    componentId: row.componentId,
    imageType: typeNameOf(row.imageType),
    name: row.name,
    size: row.size,
    digest: row.digest,
    buildTime: row.buildTime * 1000,
    uploadedAt: row.uploadedAt,
    symbolsDigest: row.symbolsDigest,
    materialsDigest: row.materialsDigest,
  };
}

/** The name of an image type that a parser has let in. */
export function typeNameOf(imageType: number): ImageTypeName {
  const name = imageTypeName(imageType);
  if (name === null) throw new Error(`the database holds the unknown image type ${imageType}`);
  return name;
}

/** SHA-256 (hex) of what an image is, whoever signed it: ECDSA signatures of the same bytes differ each time. */
export function contentDigestOf(image: ImagePackage): string {
  return sha256Hex(replaceSigner(image, new Uint8Array(20)));
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

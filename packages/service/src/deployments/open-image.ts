import { findImage } from '../images/images.ts';
import type { ServiceContext } from '../service-context.ts';
import { findOsImage } from './os-images.ts';

/** The bytes that a device downloads. `digest`: SHA-256, hex. */
export interface OpenedImage {
  /** Whose application it is; null for a system image. */
  readonly tenantId: string | null;
  readonly size: number;
  readonly digest: string;
  /** The whole package, checked against its digest. `BlobDamaged`. */
  read(): Promise<Uint8Array>;
}

/** An application or system image by its id; null where there is none. Whether a device may have it is its plan's matter. */
export async function openImage(
  { store, blobs }: Pick<ServiceContext, 'store' | 'blobs'>,
  imageId: string,
): Promise<OpenedImage | null> {
  const application = await findImage(store.read, imageId);
  if (application !== null) {
    const { tenantId, size, digest } = application;
    return { tenantId, size, digest, read: () => blobs.read(digest) };
  }
  const system = await findOsImage(store.read, imageId);
  if (system === null) return null;
  return { tenantId: null, size: system.size, digest: system.digest, read: () => blobs.read(system.digest) };
}

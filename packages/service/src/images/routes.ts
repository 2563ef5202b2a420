import type { Image } from '@sevenfold/api';
import { toTime, type Handlers } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import type { StoredImage } from './image.ts';
import { getImage, getMaterials, listImages, uploadMaterials, uploadSymbols } from './images.ts';
import { uploadImage } from './upload-image.ts';

type ImageHandlers = Pick<
  Handlers,
  'images' | 'uploadImage' | 'image' | 'uploadSymbols' | 'uploadMaterials' | 'materials'
>;

/** Answers the image routes of `IMAGE_ROUTES`. */
export function imageHandlers(
  context: Pick<ServiceContext, 'store' | 'blobs' | 'keys' | 'clock'>,
): ImageHandlers {
  return {
    async images({ params, query }) {
      const { items, next } = await listImages(context, params.tenantId, query);
      return { items: items.map(toImage), next };
    },
    uploadImage: async ({ params, body }) => toImage(await uploadImage(context, params.tenantId, body)),
    image: async ({ params }) => toImage(await getImage(context.store.read, params.tenantId, params.imageId)),
    uploadSymbols: async ({ params, body }) =>
      toImage(await uploadSymbols(context, params.tenantId, params.imageId, body)),
    uploadMaterials: async ({ params, body }) =>
      toImage(await uploadMaterials(context, params.tenantId, params.imageId, body)),
    async materials({ params: { tenantId, imageId } }) {
      const { document, digest, bill } = await getMaterials(context, tenantId, imageId);
      return {
        digest,
        document: Buffer.from(document).toString('base64'),
        specVersion: bill.specVersion,
        components: [...bill.components],
      };
    },
  };
}

/** An image as people see it. */
export function toImage(image: StoredImage): Image {
  return {
    imageId: image.imageId,
    componentId: image.componentId,
    imageType: image.imageType,
    name: image.name,
    size: image.size,
    digest: image.digest,
    buildTime: toTime(image.buildTime),
    uploadedAt: toTime(image.uploadedAt),
    hasSymbols: image.symbolsDigest !== null,
    hasMaterials: image.materialsDigest !== null,
  };
}

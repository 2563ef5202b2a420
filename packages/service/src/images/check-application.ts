import { IMAGE_TYPES, parseAppManifest, parseFileSystem, type ImagePackage } from '@sevenfold/formats';
import { ServiceError } from '../service-error.ts';

const MANIFEST_PATH = 'app_manifest.json';

/**
 * Refuses what a device would refuse, before anybody deploys it: an image that is no application, has no well-formed
 * manifest, or whose manifest is of another component than its metadata. Errors of the manifest keep their own codes.
 */
export function checkApplication(image: ImagePackage): void {
  if (image.fields.imageType !== IMAGE_TYPES.Applications) {
    throw new ServiceError('ImageNotDeployable', 'A tenant uploads application images only.', {
      field: 'imageType',
      rule: 'Applications',
    });
  }
  const files = parseFileSystem(image.payload);
  const manifestBytes = files.read(MANIFEST_PATH) ?? files.read(`/${MANIFEST_PATH}`);
  if (manifestBytes === null) {
    throw new ServiceError('ImageNotDeployable', `The image has no ${MANIFEST_PATH}.`, {
      field: MANIFEST_PATH,
      rule: 'an application image holds its manifest',
    });
  }
  const manifest = parseAppManifest(manifestBytes);
  if (manifest.componentId !== image.fields.componentId) {
    throw new ServiceError('ImageNotDeployable', 'Manifest and metadata name different components.', {
      field: 'componentId',
      rule: `${manifest.componentId}, as in the manifest`,
    });
  }
}

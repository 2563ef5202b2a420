import { IMAGE_TYPES, parseAppImage, type ImagePackage } from '@sevenfold/formats';
import { ServiceError } from '../service-error.ts';

/**
 * Refuses what a device would refuse, before anybody deploys it: an image that is no application, has no well-formed
 * manifest or entry point, or whose manifest is of another component than its metadata. Errors of the file system and
 * the manifest keep their own codes.
 */
export function checkApplication(image: ImagePackage): void {
  if (image.fields.imageType !== IMAGE_TYPES.Applications) {
    throw new ServiceError('ImageNotDeployable', 'A tenant uploads application images only.', {
      field: 'imageType',
      rule: 'Applications',
    });
  }
  const { manifest } = parseAppImage(image.payload);
  if (manifest.componentId !== image.fields.componentId) {
    throw new ServiceError('ImageNotDeployable', 'Manifest and metadata name different components.', {
      field: 'componentId',
      rule: `${manifest.componentId}, as in the manifest`,
    });
  }
}

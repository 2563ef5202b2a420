import { IMAGE_TYPES, parseAppImage, type ImagePackage } from '@sevenfold/formats';
import { ServiceError } from '../service-error.ts';

/** Times leave the service as RFC 3339, whose years have four digits. Seconds since 1970. */
const LATEST_BUILD_TIME = Date.UTC(9999, 11, 31) / 1000;

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
  if (image.fields.buildTime > LATEST_BUILD_TIME) {
    throw new ServiceError('ImageNotDeployable', 'The image was built in the far future.', {
      field: 'buildTime',
      rule: 'before the year 10000',
    });
  }
}

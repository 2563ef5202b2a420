import {
  equalBytes,
  fromHex,
  IMAGE_TYPES,
  type ImageTypeName,
  type PlanImage,
  type PresentImage,
} from '@sevenfold/formats';

/** An image as the service knows it; `digest` in hex. */
interface OfferedImage {
  readonly imageType: ImageTypeName;
  readonly componentId: string;
  readonly imageId: string;
  readonly digest: string;
  readonly size: number;
  readonly name: string;
}

/** What is in force for a device. */
export interface Intent {
  /** The OS release of its feed; null where none is published. */
  readonly release: { readonly name: string; readonly images: readonly OfferedImage[] } | null;
  /** The applications of its group; null where nobody has said anything, so that nothing is touched. */
  readonly applications: readonly OfferedImage[] | null;
}

/** What differs between what a device has and what it should have. */
export interface PlannedChange {
  readonly images: readonly PlanImage[];
  readonly removeComponents: readonly string[];
}

/** Compares by component and digest: the same build signed anew is another image. Pure. */
export function decidePlan(intent: Intent, present: readonly PresentImage[]): PlannedChange {
  const wanted = [...(intent.release?.images ?? []), ...(intent.applications ?? [])].map(toPlanImage);
  const images = wanted.filter(
    (image) =>
      !present.some(
        (one) =>
          one.imageType === image.imageType &&
          one.componentId === image.componentId &&
          one.imageId === image.imageId &&
          equalBytes(one.digest, image.digest),
      ),
  );
  return { images, removeComponents: removals(intent, present) };
}

/** Applications that the group no longer has. */
function removals(intent: Intent, present: readonly PresentImage[]): readonly string[] {
  const { applications } = intent;
  if (applications === null) return [];
  const surplus = present.filter(
    (image) =>
      image.imageType === IMAGE_TYPES.Applications &&
      !applications.some((application) => application.componentId === image.componentId),
  );
  return [...new Set(surplus.map((image) => image.componentId))];
}

/** An image as a plan names it. */
export function toPlanImage(image: OfferedImage): PlanImage {
  const { componentId, imageId, digest, size, name } = image;
  return {
    imageType: IMAGE_TYPES[image.imageType],
    componentId,
    imageId,
    digest: fromHex(digest),
    size,
    name,
  };
}

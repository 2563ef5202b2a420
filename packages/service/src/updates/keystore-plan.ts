import { IMAGE_TYPES, toHex, type PresentImage } from '@sevenfold/formats';
import { imageKeysOf, type ImageKeys } from '../deployments/image-keys.ts';
import type { OsImage } from '../deployments/os-images.ts';
import { publishedKeystores } from '../deployments/os-releases.ts';
import type { ServiceContext } from '../service-context.ts';
import { toPlanImage, type Intent, type PlannedChange } from './decide-plan.ts';
import { keystoreStep, type PublishedKeystore } from './keystore-step.ts';

type KeystoreContext = Pick<ServiceContext, 'store' | 'blobs'>;

/** Images do not change, so what is read of one is kept by its digest; some hundred releases of six images. */
const known = new Map<string, ImageKeys | null>();
const MOST_KNOWN = 4096;

async function keysOf({ blobs }: KeystoreContext, digest: string): Promise<ImageKeys | null> {
  const present = known.get(digest);
  if (present !== undefined) return present;
  const keys = imageKeysOf(await blobs.read(digest));
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(digest, keys);
  return keys;
}

/**
 * What of a change a device can take now, where its keystore is to be replaced as well: all of it, or one step towards
 * it. A device that is up to date, or one whose keystore stays, costs nothing here.
 */
export async function nextStep(
  context: KeystoreContext,
  chipSku: number,
  intent: Intent,
  change: PlannedChange,
  present: readonly PresentImage[],
): Promise<PlannedChange> {
  const isKeystore = ({ imageType }: { readonly imageType: number }): boolean =>
    imageType === IMAGE_TYPES.TrustedKeystore;
  const { release } = intent;
  if (release === null || !change.images.some(isKeystore)) return change;
  const keystores = await publishedKeystores(context.store.read, chipSku);
  const published = await readKeystores(context, keystores);
  const held = present.find(isKeystore);
  const device = published.find(({ digest }) => held !== undefined && digest === toHex(held.digest));
  const target = release.images.find(({ imageType }) => imageType === 'TrustedKeystore');
  const next = published.find(({ digest }) => digest === target?.digest);
  // A keystore that this service never published, or cannot read: nothing is known about what it trusts.
  if (device === undefined || next === undefined) return change;
  const digests = present
    .filter((image) => !isKeystore(image) && image.imageType !== IMAGE_TYPES.Applications)
    .map(({ digest }) => toHex(digest));
  const step = keystoreStep(
    { keystore: device, running: await readKeys(context, digests) },
    {
      keystore: next.keystore,
      images: await readKeys(
        context,
        release.images.filter((image) => image !== target).map(({ digest }) => digest),
      ),
    },
    published,
  );
  const applications = change.images.filter(({ imageType }) => imageType === IMAGE_TYPES.Applications);
  switch (step.kind) {
    case 'release':
      return change;
    case 'images':
      return { ...change, images: change.images.filter((image) => !isKeystore(image)) };
    case 'prerequisite': {
      const image = keystores.find(({ digest }) => digest === step.digest);
      return image === undefined ? change : { images: [toPlanImage(image)], removeComponents: [] };
    }
    case 'none':
      return { ...change, images: applications };
    default:
      return step satisfies never;
  }
}

/** Of images that were uploaded here: what a device runs beside them is its attestation's affair. */
async function readKeys(context: KeystoreContext, digests: readonly string[]): Promise<ImageKeys[]> {
  const keys: ImageKeys[] = [];
  for (const digest of digests) {
    if (!(await context.blobs.has(digest))) continue;
    const of = await keysOf(context, digest);
    if (of !== null) keys.push(of);
  }
  return keys;
}

async function readKeystores(
  context: KeystoreContext,
  images: readonly OsImage[],
): Promise<PublishedKeystore[]> {
  const keystores: PublishedKeystore[] = [];
  for (const { digest } of images) {
    const keystore = (await keysOf(context, digest))?.keystore;
    if (keystore) keystores.push({ digest, keystore });
  }
  return keystores;
}

import { join } from 'node:path';
import type { Client } from '@sevenfold/api';
import type { OsRelease } from '@sevenfold/device';
import { toHex } from '@sevenfold/formats';
import type { Progress } from '../../narrator.ts';
import { buildRelease, nextVersion, publishRelease, publishedReleases } from '../../platform/os-releases.ts';
import { prove, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';

const FEED = 'Retail';

export interface ReleaseStep extends StepResult {
  readonly release: OsRelease;
}

async function publish(
  client: Client,
  release: OsRelease,
  journal: Journal,
  progress: Progress,
): Promise<void> {
  const { images } = release;
  await publishRelease(client, release, FEED, (index, digest) => {
    const image = images[index];
    progress.report(index, images.length, `uploading ${image?.name ?? ''}`);
    prove(
      image !== undefined && digest === toHex(image.digest),
      `The service measured ${image?.name ?? 'an image'} differently.`,
    );
  });
  journal.acknowledge({ kind: 'release', id: release.name });
}

const build = (telling: Telling, client: Client, kernelVersion: string): Promise<OsRelease> =>
  buildRelease(join(telling.dataDir, 'platform'), client, kernelVersion);

/** Step 2: the system images are built, signed and published to `Retail` as a release; once is enough. */
export async function publishFirstRelease(
  telling: Telling,
  client: Client,
  journal: Journal,
  progress: Progress,
): Promise<ReleaseStep> {
  const inForce = (await publishedReleases(client)).find(
    (release) => release.feed === FEED && release.revoked === null,
  );
  progress.report(0, 1, 'bundling');
  let release = await build(telling, client, inForce?.name ?? (await nextVersion(client)));
  const published = new Set(inForce?.images.map((image) => image.imageId));
  const isInForce = release.images.every((image) => published.has(image.imageId));
  if (!isInForce) {
    // The sources are not those of the release in force: they become the next one.
    if (inForce) release = await build(telling, client, await nextVersion(client));
    await publish(client, release, journal, progress);
  }
  return describe(
    release,
    isInForce ? 'in force already, built again from the same sources' : 'built, signed, published',
  );
}

/** A release with a changed kernel: every other image is the very same. */
export async function publishNextRelease(
  telling: Telling,
  client: Client,
  journal: Journal,
  progress: Progress,
): Promise<ReleaseStep> {
  const release = await build(telling, client, await nextVersion(client));
  await publish(client, release, journal, progress);
  return describe(release, 'built, signed, published');
}

function describe(release: OsRelease, how: string): ReleaseStep {
  const total = release.images.reduce((sum, image) => sum + image.package.length, 0);
  return {
    release,
    proved: [
      `release ${release.name} in feed ${FEED}: ${how}; ${release.images.length} images, ${Math.round(total / 1024)} KiB`,
      ...release.images.map(
        (image) =>
          `${image.type.padEnd(18)} ${image.name.padEnd(22)} SHA-256 ${toHex(image.digest).slice(0, 16)}…`,
      ),
    ],
    facts: { release: release.name, images: release.images.map((image) => image.type).join() },
  };
}

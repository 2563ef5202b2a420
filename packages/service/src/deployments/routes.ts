import type {
  Deployment as ApiDeployment,
  OsRelease as ApiOsRelease,
  PlatformKey as ApiPlatformKey,
} from '@sevenfold/api';
import { toTime, type Handlers } from '../http/handlers.ts';
import { toImage } from '../images/routes.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { createDeployment, listDeployments, type Deployment } from './deployments.ts';
import { findOsImage, uploadOsImage } from './os-images.ts';
import { createOsRelease, listOsReleases, revokeOsRelease, type OsRelease } from './os-releases.ts';
import { listPlatformKeys, registerPlatformKey, type PlatformKey } from './platform-keys.ts';

type DeploymentHandlers = Pick<
  Handlers,
  | 'deployments'
  | 'createDeployment'
  | 'platformKeys'
  | 'createPlatformKey'
  | 'uploadOsImage'
  | 'osImage'
  | 'osReleases'
  | 'createOsRelease'
  | 'revokeOsRelease'
>;

/** Answers the routes of deployments, OS images and releases. */
export function deploymentHandlers(
  context: Pick<ServiceContext, 'store' | 'blobs' | 'clock' | 'entropy'>,
): DeploymentHandlers {
  return {
    async deployments({ params, query }) {
      const { items, next } = await listDeployments(context, params.tenantId, params.deviceGroupId, query);
      return { items: items.map(toApiDeployment), next };
    },
    createDeployment: async ({ params, body }) =>
      toApiDeployment(await createDeployment(context, params.tenantId, params.deviceGroupId, body.imageIds)),
    platformKeys: async () => ({ items: (await listPlatformKeys(context)).map(toApiKey) }),
    createPlatformKey: async ({ body }) =>
      toApiKey(await registerPlatformKey(context, new Uint8Array(Buffer.from(body.spki, 'base64')))),
    uploadOsImage: ({ body }) => uploadOsImage(context, body),
    async osImage({ params }) {
      const image = await findOsImage(context.store.read, params.imageId);
      if (image === null) {
        throw new ServiceError('NotFound', `There is no OS image "${params.imageId}".`, { field: 'imageId' });
      }
      const bytes = await context.blobs.read(image.digest);
      return { ...image, package: Buffer.from(bytes).toString('base64') };
    },
    async osReleases({ query }) {
      const { items, next } = await listOsReleases(context, query);
      return { items: items.map(toApiRelease), next };
    },
    createOsRelease: async ({ body }) => toApiRelease(await createOsRelease(context, body)),
    revokeOsRelease: async ({ params, body }) =>
      toApiRelease(await revokeOsRelease(context, params.name, body.reason)),
  };
}

function toApiDeployment(deployment: Deployment): ApiDeployment {
  return { ...deployment, images: deployment.images.map(toImage), createdAt: toTime(deployment.createdAt) };
}

function toApiKey({ thumbprint, spki, createdAt }: PlatformKey): ApiPlatformKey {
  return { thumbprint, spki: Buffer.from(spki).toString('base64'), createdAt: toTime(createdAt) };
}

function toApiRelease(release: OsRelease): ApiOsRelease {
  return {
    ...release,
    images: [...release.images],
    createdAt: toTime(release.createdAt),
    revoked:
      release.revoked === null
        ? null
        : { reason: release.revoked.reason, time: toTime(release.revoked.time) },
  };
}

import { openApiDocument } from '@sevenfold/api';
import { imageSigningKey } from '../images/image-signer.ts';
import { capabilitySigningKey } from '../registry/device-capability.ts';
import type { ServiceContext } from '../service-context.ts';
import { toTime, type Handlers } from './handlers.ts';

/** Where devices find the service, and what they believe it by. Keys: SPKI, DER. Roots: certificates, DER. */
interface TrustAnchors {
  readonly deviceHost: string;
  readonly devicePort: number;
  readonly deviceServerName: string;
  readonly tlsRoots: readonly Uint8Array[];
  readonly planSigningKey: Uint8Array;
  readonly brokerHost: string;
  readonly brokerPort: number | null;
}

export interface ServiceRoutesContext extends Pick<ServiceContext, 'clock' | 'keys'> {
  readonly trust: () => Promise<TrustAnchors>;
}

/** Answers the routes of `SERVICE_ROUTES`. */
export function serviceHandlers(
  context: ServiceRoutesContext,
): Pick<Handlers, 'status' | 'openApi' | 'trust'> {
  const document = openApiDocument();
  return {
    status: () => ({
      service: 'sevenfold',
      status: 'ready',
      apiVersion: 'v1',
      time: toTime(context.clock.now()),
    }),
    openApi: () => document,
    async trust() {
      const { tlsRoots, planSigningKey, ...rest } = await context.trust();
      return {
        ...rest,
        tlsRoots: tlsRoots.map(toBase64),
        planSigningKey: toBase64(planSigningKey),
        imageSigningKey: toBase64(await imageSigningKey(context.keys)),
        capabilitySigningKey: toBase64(await capabilitySigningKey(context.keys)),
      };
    },
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

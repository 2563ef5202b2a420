import type { Route } from './contract.ts';
import { ACCESS_ROUTES } from './routes/access.ts';
import { CERTIFICATE_ROUTES } from './routes/certificates.ts';
import { ERROR_ROUTES } from './routes/errors.ts';
import { IMAGE_ROUTES } from './routes/images.ts';
import { PLATFORM_ROUTES } from './routes/platform.ts';
import { REGISTRY_ROUTES } from './routes/registry.ts';
import { SERVICE_ROUTES } from './routes/service.ts';
import { TELEMETRY_ROUTES } from './routes/telemetry.ts';

/** Every route of the service, by the name under which clients call it and the server serves it. */
export const ROUTES = {
  ...SERVICE_ROUTES,
  ...ACCESS_ROUTES,
  ...REGISTRY_ROUTES,
  ...CERTIFICATE_ROUTES,
  ...IMAGE_ROUTES,
  ...PLATFORM_ROUTES,
  ...ERROR_ROUTES,
  ...TELEMETRY_ROUTES,
} as const;
export type RouteName = keyof typeof ROUTES;

/** The table as a list, for whoever walks it: OpenAPI, the access test, the server. */
export const ALL_ROUTES: readonly (readonly [RouteName, Route])[] =
  // `Object.entries` forgets the key type; the object is a constant, so its keys are exactly these.
  Object.entries(ROUTES) as unknown as readonly (readonly [RouteName, Route])[];

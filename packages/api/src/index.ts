export {
  ROLES,
  defineRoute,
  json,
  octets,
  type BodyKind,
  type Method,
  type Permission,
  type Role,
  type Route,
  type RouteInput,
  type Scope,
} from './contract.ts';
export { problem, type ApiProblem, type OsFeed, type Page, type UpdatePolicy } from './primitives.ts';
export { ALL_ROUTES, ROUTES, type RouteName } from './routes.ts';
export type { AuditEntry, Principal } from './routes/access.ts';
export type { TenantCertificate } from './routes/certificates.ts';
export type { ErrorGroup, ErrorGroupDetail } from './routes/errors.ts';
export {
  MOST_IMAGE_BYTES,
  MOST_SYMBOL_BYTES,
  type Deployment,
  type Image,
  type ImageMaterials,
} from './routes/images.ts';
export {
  MOST_ENDORSEMENT_BYTES,
  MOST_OS_IMAGE_BYTES,
  type OsImage,
  type OsRelease,
  type PlatformKey,
  type SiliconMaker,
} from './routes/platform.ts';
export type { AttestationResultDocument, Device, DeviceGroup, Product, Tenant } from './routes/registry.ts';
export type { TelemetryMessage } from './routes/telemetry.ts';
export { openApiDocument } from './openapi.ts';
export { ApiError, type ApiClientErrorCode } from './errors.ts';
export { createRequestSigner, type RequestClaims, type RequestSigner } from './request-signer.ts';
export {
  createClient,
  type Client,
  type ClientOptions,
  type HttpRequest,
  type HttpResponse,
  type HttpTransport,
} from './client.ts';
export { createHttpsTransport, type ClosableTransport } from './https-transport.ts';

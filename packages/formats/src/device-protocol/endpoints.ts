/** Paths of the device port (docs/device-protocol.md). An image's path comes from `devicePathOfImage`. */
export const DEVICE_PATHS = {
  /** POST, empty body → `ChallengeReply`: for clients whose TLS gives no exporter value. */
  challenge: '/device/v1/challenge',
  /** POST `AttestRequest` → `AttestReply`: open to devices without a certificate. */
  attest: '/device/v1/attest',
  /** POST `PlanRequest` → COSE_Sign1 with a `PlanPayload`: needs the update certificate. */
  plan: '/device/v1/plan',
  /** POST `ReportBatch` → `ReportReply`: needs the update certificate. */
  reports: '/device/v1/reports',
  /** GET with `Range`, followed by an image id: needs the update certificate. */
  images: '/device/v1/images/',
} as const;

/** Path of one image package. */
export function devicePathOfImage(imageId: string): string {
  return `${DEVICE_PATHS.images}${imageId}`;
}

/** Media types of the device port. */
export const DEVICE_CONTENT_TYPES = {
  cbor: 'application/cbor',
  /** The plan (RFC 9052 §11.3.1). */
  sign1: 'application/cose; cose-type="cose-sign1"',
  /** Every refusal (RFC 9290). */
  problem: 'application/concise-problem-details+cbor',
  image: 'application/octet-stream',
} as const;

/** Bounds of the messages, in bytes or items. Both sides refuse what is beyond them. */
export const DEVICE_LIMITS = {
  attestRequest: 32 * 1024,
  attestReply: 64 * 1024,
  planRequest: 64 * 1024,
  plan: 64 * 1024,
  /** One error report: what fits into one record of a device's flash. */
  report: 3800,
  reportBatch: 256 * 1024,
  reportReply: 4096,
  problem: 4096,
  maxImages: 64,
  maxReports: 50,
  maxFrames: 64,
  maxLogLines: 20,
  /** Bytes of UTF-8 of one log line or failure line (256 characters of at most four bytes). */
  maxLine: 1024,
  maxChain: 4,
  maxCertificate: 4096,
  maxSpki: 512,
  maxToken: 16 * 1024,
  maxReasons: 32,
} as const;

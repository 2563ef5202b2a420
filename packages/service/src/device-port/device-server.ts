import { TLSSocket } from 'node:tls';

import {
  decodeAttestRequest,
  decodePlanRequest,
  decodeReportBatch,
  DEVICE_CONTENT_TYPES,
  DEVICE_LIMITS,
  DEVICE_PATHS,
  encodeAttestReply,
  encodeChallengeReply,
  encodeReportReply,
  EXPORTER_LABEL,
  plainBytes,
  toHex,
} from '@sevenfold/formats';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import { attestDevice } from '../attestation/attest-device.ts';
import { makeNonce, NONCE_LIFETIME_MS } from '../attestation/challenge.ts';
import type { CertificateAuthorities } from '../certificates/authorities.ts';
import { deviceOfUpdateCertificate } from '../certificates/device-certificates.ts';
import { ingestReports } from '../errors/ingest-reports.ts';
import type { LogFields } from '../http/log.ts';
import { answerOddRequests } from '../http/odd-requests.ts';
import { RateLimiter, type RateLimit } from '../http/rate-limit.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { downloadImage } from '../updates/download.ts';
import { planForDevice, requireServed } from '../updates/plan-for-device.ts';
import { Admission, TooSoon, type AdmissionLimit } from './admission.ts';
import { Company } from './company.ts';
import { answerBrokenDeviceRequest, sendDeviceProblem } from './device-problems.ts';
import type { Schedule } from './schedule.ts';

/** What the server does to those who are slow or many. Times in ms. */
export interface DeviceServerLimits {
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly handshakeTimeout: number;
  readonly connectionTimeout: number;
  readonly keepAliveTimeout: number;
  readonly mostConnections: number;
  /** Nonces that one address may ask for: each is a row until it is used or over. */
  readonly challenges: RateLimit;
  /** Reports of one device: each is a row for months. */
  readonly reports: RateLimit;
  /** What is done a second of each; whoever comes beyond gets an appointment. */
  readonly attestations: AdmissionLimit;
  readonly plans: AdmissionLimit;
  /** Batches of reports. */
  readonly deliveries: AdmissionLimit;
  /** Devices that begin to download; each goes on part by part. */
  readonly downloads: AdmissionLimit;
}

const DEFAULT_DEVICE_LIMITS: DeviceServerLimits = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  handshakeTimeout: 10_000,
  connectionTimeout: 70_000,
  keepAliveTimeout: 20_000,
  mostConnections: 2000,
  challenges: { burst: 200, perSecond: 20 },
  reports: { burst: 500, perSecond: 0.05 },
  attestations: { perSecond: 200 },
  plans: { perSecond: 300 },
  deliveries: { perSecond: 300 },
  downloads: { perSecond: 20, goesOnFor: 600_000 },
};

export interface DeviceServerOptions {
  readonly context: ServiceContext;
  readonly authorities: CertificateAuthorities;
  readonly schedule: Schedule;
  /** PEM; the chain leaf first. */
  readonly tls: { readonly key: string; readonly cert: string };
  readonly limits?: Partial<DeviceServerLimits>;
}

const EXPORTER_LENGTH = 32;
const NO_CONTEXT = Buffer.alloc(0);

/**
 * The https server for devices (docs/device-protocol.md): TLS 1.3, CBOR. A client certificate is asked for but not
 * demanded: attesting needs none, everything else the update certificate, which our own verification checks at each
 * request. The caller lets it listen.
 */
export function createDeviceServer(options: DeviceServerOptions): FastifyInstance {
  const { context, authorities, schedule } = options;
  const limits = { ...DEFAULT_DEVICE_LIMITS, ...options.limits };
  const app = fastify({
    https: {
      ...options.tls,
      minVersion: 'TLSv1.3',
      requestCert: true,
      // Who it is we judge ourselves, request by request: a certificate may end while its connection lives.
      rejectUnauthorized: false,
      handshakeTimeout: limits.handshakeTimeout,
      headersTimeout: limits.headersTimeout,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeout),
      maxHeaderSize: 8 * 1024,
      requireHostHeader: false,
    },
    requestTimeout: limits.requestTimeout,
    connectionTimeout: limits.connectionTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    genReqId: () => toHex(context.entropy.random(8)),
    clientErrorHandler: answerBrokenDeviceRequest,
    frameworkErrors: (error, request, reply) => {
      sendDeviceProblem(context, request, reply, error);
    },
  });
  app.server.maxConnections = limits.mostConnections;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(DEVICE_CONTENT_TYPES.cbor, { parseAs: 'buffer' }, (_, body, done) =>
    done(null, body),
  );
  // Hooks with callbacks: promises would cost each request a few turns.
  app.addHook('onRequest', (_, reply, done) => {
    reply.header('cache-control', 'no-store');
    done();
  });
  answerOddRequests(app, answerBrokenDeviceRequest);
  app.addHook('onResponse', (request, reply, done) => {
    logAnswer(context, request, reply, outcomes.get(request));
    done();
  });
  app.setErrorHandler((error, request, reply) => sendDeviceProblem(context, request, reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendDeviceProblem(context, request, reply, unknownRoute(request)),
  );

  /** What the line about an answer says beside its status. */
  const outcomes = new WeakMap<FastifyRequest, LogFields>();
  /** The device by its update certificate, before a byte of its body is read. */
  const identified = new WeakMap<FastifyRequest, string>();
  const identify = async (request: FastifyRequest): Promise<void> => {
    identified.set(
      request,
      await deviceOfUpdateCertificate({ ...context, authorities }, peerCertificate(request)),
    );
  };
  const company = new Company();
  const admission = new Admission(limits.attestations, context.clock);
  const plans = new Admission(limits.plans, context.clock);
  const deliveries = new Admission(limits.deliveries, context.clock);
  const downloads = new Admission(limits.downloads, context.clock);
  const challenges = new RateLimiter(limits.challenges, context.clock);
  const reports = new RateLimiter(limits.reports, context.clock);
  const deviceOf = (request: FastifyRequest): string => identified.get(request) ?? '';

  app.post(DEVICE_PATHS.challenge, { bodyLimit: 1 }, async (request, reply) => {
    refuseWhileLimited(challenges, request.ip);
    challenges.take(request.ip);
    const nonce = await makeNonce(context);
    return send(reply, encodeChallengeReply({ nonce, lifetime: NONCE_LIFETIME_MS / 1000 }));
  });

  app.post(DEVICE_PATHS.attest, { bodyLimit: DEVICE_LIMITS.attestRequest }, async (request, reply) => {
    // Before anything else is done for it: attesting is most of what this port does.
    await company.join();
    const attestRequest = decodeAttestRequest(bodyOf(request));
    const attestation = { ...context, authorities, schedule, admission };
    const answer = await attestDevice(attestation, attestRequest, () => exporterOf(request));
    const { deviceId, tenantId, verdict } = answer;
    outcomes.set(request, { deviceId, tenantId, verdict });
    return send(reply, encodeAttestReply(answer));
  });

  app.post(
    DEVICE_PATHS.plan,
    { bodyLimit: DEVICE_LIMITS.planRequest, onRequest: identify },
    async (request, reply) => {
      const planRequest = decodePlanRequest(bodyOf(request));
      plans.admit(deviceOf(request));
      const plan = await planForDevice({ ...context, schedule }, deviceOf(request), planRequest);
      return send(reply, plan, DEVICE_CONTENT_TYPES.sign1);
    },
  );

  app.post(
    DEVICE_PATHS.reports,
    { bodyLimit: DEVICE_LIMITS.reportBatch, onRequest: identify },
    async (request, reply) => {
      refuseWhileLimited(reports, deviceOf(request));
      const batch = decodeReportBatch(bodyOf(request));
      deliveries.admit(deviceOf(request));
      const device = await requireServed(context, deviceOf(request));
      reports.take(device.deviceId, batch.reports.length);
      return send(reply, encodeReportReply({ accepted: await ingestReports(context, device, batch) }));
    },
  );

  app.get<{ Params: { imageId: string } }>(
    `${DEVICE_PATHS.images}:imageId`,
    { onRequest: identify },
    async (request, reply) => {
      downloads.admit(deviceOf(request));
      const device = await requireServed(context, deviceOf(request));
      const { imageId } = request.params;
      const part = await downloadImage(context, device, imageId, request.headers.range);
      const isWhole = part.start === 0 && part.end === part.size && request.headers.range === undefined;
      reply.headers({ 'accept-ranges': 'bytes', etag: `"${part.digest}"` });
      if (!isWhole)
        reply.code(206).header('content-range', `bytes ${part.start}-${part.end - 1}/${part.size}`);
      return send(reply, part.bytes, DEVICE_CONTENT_TYPES.image);
    },
  );
  return app;
}

function refuseWhileLimited(limiter: RateLimiter, key: string): void {
  const seconds = limiter.wait(key);
  if (seconds === 0) return;
  throw new TooSoon('There were too many requests.', seconds, `again in ${seconds} s`);
}

function send(
  reply: FastifyReply,
  bytes: Uint8Array,
  type: string = DEVICE_CONTENT_TYPES.cbor,
): FastifyReply {
  return reply.type(type).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function bodyOf({ body }: FastifyRequest): Uint8Array {
  return body instanceof Uint8Array ? plainBytes(body) : new Uint8Array(0);
}

/** What the client showed in its handshake, whatever it is worth. */
function peerCertificate(request: FastifyRequest): Uint8Array | null {
  const raw = tlsSocketOf(request).getPeerX509Certificate()?.raw;
  return raw === undefined ? null : new Uint8Array(raw);
}

/** A connection has one value for its whole life. */
const exporters = new WeakMap<TLSSocket, Uint8Array>();

/** Keying material of this very connection (RFC 8446 §7.5): what binds a token to it. */
function exporterOf(request: FastifyRequest): Uint8Array {
  const socket = tlsSocketOf(request);
  const known = exporters.get(socket);
  if (known !== undefined) return known;
  const made = new Uint8Array(socket.exportKeyingMaterial(EXPORTER_LENGTH, EXPORTER_LABEL, NO_CONTEXT));
  exporters.set(socket, made);
  return made;
}

function tlsSocketOf(request: FastifyRequest): TLSSocket {
  const { socket } = request.raw;
  if (!(socket instanceof TLSSocket)) throw new Error('the device port was reached without TLS');
  return socket;
}

function unknownRoute(request: FastifyRequest): ServiceError {
  const path = request.url.split('?')[0] ?? '';
  const isKnown = Object.values(DEVICE_PATHS).some(
    (known) => path === known || (known.endsWith('/') && path.startsWith(known) && request.method !== 'GET'),
  );
  return isKnown
    ? new ServiceError('MethodNotAllowed', 'This is not possible here.', {
        field: 'method',
        rule: 'docs/device-protocol.md',
      })
    : new ServiceError('RouteNotFound', 'There is nothing here.', {
        field: 'path',
        rule: 'docs/device-protocol.md',
      });
}

function logAnswer(
  context: ServiceContext,
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: LogFields = {},
): void {
  const fields = {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? null,
    status: reply.statusCode,
    milliseconds: Math.round(reply.elapsedTime),
    ...outcome,
  };
  context.log.info(fields, 'answered a device');
}

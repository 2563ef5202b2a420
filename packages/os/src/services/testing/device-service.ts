import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  DEVICE_CONTENT_TYPES,
  DEVICE_PATHS,
  EXPORTER_LABEL,
  attestationChallengeInput,
  decodeAttestRequest,
  decodePlanRequest,
  decodePsaClaims,
  decodeReportBatch,
  decodeSign1,
  encodeAttestReply,
  encodeDeviceProblem,
  encodePlanPayload,
  encodeReportReply,
  encodeSign1,
  equalBytes,
  type AttestReply,
  type AttestVerdict,
  type CertStore,
  type ErrorReport,
  type PlanImage,
  type PlanPayload,
  type PlanRequest,
} from '@sevenfold/formats';
import {
  generateKeyPair,
  issueAndParse,
  parseCertificate,
  sha256,
  signWithPkcs8,
  thumbprint,
  toPem,
  verifySignature,
  type Certificate,
  type CertificateIssuer,
  type KeyPair,
} from '@sevenfold/pki';

const TENANT = '5e7e0001-0000-4000-8000-000000000001';

/** An answer in place of the real one. */
export interface WrongAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the service does; tests change it between two rounds. */
interface Behaviour {
  verdict: AttestVerdict;
  reasons: string[];
  claimed: boolean;
  attestNextCheck: number;
  planNextCheck: number;
  images: PlanImage[];
  removeComponents: string[];
  /** A lie: what goes out instead of what should. */
  attestReply: (reply: AttestReply) => AttestReply;
  planPayload: (plan: PlanPayload) => PlanPayload;
  planMessage: (message: Uint8Array) => Uint8Array;
  planKey: KeyPair;
  image: (bytes: Uint8Array, start: number) => Uint8Array | WrongAnswer;
  acceptReport: (report: ErrorReport) => boolean;
  /** Instead of everything else; null: the real answer. */
  instead: (path: string) => WrongAnswer | 'cut' | null;
}

/** A small device service on loopback that speaks the real protocol over real TLS. */
export interface TestDeviceService {
  readonly behaviour: Behaviour;
  readonly certStore: CertStore;
  readonly planKey: KeyPair;
  readonly tenantId: string;
  readonly received: {
    attestations: number;
    readonly plans: PlanRequest[];
    readonly reports: ErrorReport[];
    /** Path and range of every request. */
    readonly requests: string[];
  };
  /** Image packages by image id. */
  readonly blobs: Map<string, Uint8Array>;
  endorse(attestationSpki: Uint8Array): void;
  now: number;
  close(): Promise<void>;
}

const entropy = { random: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };

interface Authority {
  readonly certificate: Certificate;
  readonly issuer: CertificateIssuer;
}

async function makeAuthority(
  profile: 'root' | 'updateCa' | 'tenantCa',
  name: string,
  above: CertificateIssuer | null,
  now: number,
): Promise<Authority> {
  const key = generateKeyPair();
  const sign = (message: Uint8Array): Promise<Uint8Array> =>
    Promise.resolve(signWithPkcs8(key.pkcs8, message));
  const request = { subject: [['CN', name]] as const, publicKey: key.spki, now, entropy };
  const certificate = await issueAndParse(profile, request, above ?? { certificate: null, sign });
  return { certificate, issuer: { certificate, sign } };
}

/** Starts the service at time `now` (ms since 1970). */
export async function startDeviceService(now: number): Promise<TestDeviceService> {
  const root = await makeAuthority('root', 'Root', null, now);
  const updateCa = await makeAuthority('updateCa', 'Update CA', root.issuer, now);
  const tenantCa = await makeAuthority('tenantCa', 'Tenant CA', root.issuer, now);
  const serverKey = generateKeyPair();
  const serverCertificate = await issueAndParse(
    'tlsServer',
    {
      subject: [['CN', 'device service']],
      publicKey: serverKey.spki,
      now,
      entropy,
      hostNames: ['devices.example'],
    },
    root.issuer,
  );
  const endorsed = new Map<string, Uint8Array>();
  const planKey = generateKeyPair();
  const behaviour: Behaviour = {
    verdict: 'trusted',
    reasons: [],
    claimed: true,
    attestNextCheck: 50_000,
    planNextCheck: 3600,
    images: [],
    removeComponents: [],
    attestReply: (reply) => reply,
    planPayload: (plan) => plan,
    planMessage: (message) => message,
    planKey,
    image: (bytes) => bytes,
    acceptReport: () => true,
    instead: () => null,
  };
  const received = {
    attestations: 0,
    plans: [] as PlanRequest[],
    reports: [] as ErrorReport[],
    requests: [] as string[],
  };
  const blobs = new Map<string, Uint8Array>();

  async function attest(body: Uint8Array, socket: TLSSocket): Promise<WrongAnswer> {
    received.attestations += 1;
    const request = decodeAttestRequest(body);
    const token = decodeSign1(request.token);
    const claims = decodePsaClaims(token.payload);
    const deviceId = Buffer.from(claims.instanceId.subarray(1)).toString('hex');
    const spki = endorsed.get(deviceId);
    if (spki === undefined) return problem(403, 'UnknownDevice', 'This device is not endorsed.');
    const exporter = new Uint8Array(socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0)));
    const challenge = sha256(
      attestationChallengeInput(exporter, sha256(request.clientKey.spki), sha256(request.updateKey.spki)),
    );
    const isGenuine =
      equalBytes(claims.nonce, challenge) &&
      verifySignature(spki, token.toBeSigned, token.signature) &&
      verifySignature(request.clientKey.spki, challenge, request.clientKey.proof) &&
      verifySignature(request.updateKey.spki, challenge, request.updateKey.proof);
    if (!isGenuine) return problem(403, 'NotGenuine', 'The evidence does not hold.');
    const { verdict } = behaviour;
    const issue = async (profile: 'device' | 'update', ca: Authority, publicKey: Uint8Array) => [
      (
        await issueAndParse(
          profile,
          {
            subject: [['CN', deviceId]],
            publicKey,
            now: service.now,
            entropy,
            attestation: { verdict, release: null, evidenceDigest: sha256(request.token) },
          },
          ca.issuer,
        )
      ).der,
      ca.certificate.der,
    ];
    const isClient = verdict === 'trusted' && behaviour.claimed;
    const reply: AttestReply = {
      verdict,
      reasons: behaviour.reasons,
      deviceId,
      tenantId: behaviour.claimed ? TENANT : null,
      updateChain: await issue('update', updateCa, request.updateKey.spki),
      clientChain: isClient ? await issue('device', tenantCa, request.clientKey.spki) : null,
      time: Math.floor(service.now / 1000),
      nextCheck: behaviour.attestNextCheck,
      requiredRelease: null,
    };
    return { status: 200, body: encodeAttestReply(behaviour.attestReply(reply)) };
  }

  function plan(body: Uint8Array, deviceId: string): WrongAnswer {
    const request = decodePlanRequest(body);
    received.plans.push(request);
    const payload = behaviour.planPayload({
      nonce: request.nonce,
      deviceId,
      issuedAt: Math.floor(service.now / 1000),
      nextCheck: behaviour.planNextCheck,
      release: null,
      images: behaviour.images,
      removeComponents: behaviour.removeComponents,
    });
    const { spki, pkcs8 } = behaviour.planKey;
    const message = encodeSign1({
      algorithm: 'ES256',
      keyId: thumbprint(spki),
      payload: encodePlanPayload(payload),
    });
    const signed = message.finish(signWithPkcs8(pkcs8, message.toBeSigned));
    return { status: 200, body: behaviour.planMessage(signed) };
  }

  function reports(body: Uint8Array): WrongAnswer {
    const accepted = decodeReportBatch(body).reports.filter((report) => behaviour.acceptReport(report));
    received.reports.push(...accepted);
    return { status: 200, body: encodeReportReply({ accepted: accepted.map(({ reportId }) => reportId) }) };
  }

  function image(path: string, range: string | undefined): WrongAnswer {
    const bytes = blobs.get(path.slice(DEVICE_PATHS.images.length));
    if (bytes === undefined) return problem(404, 'ImageNotFound', 'There is no such image.');
    const [, start = '0', end = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    const part = bytes.subarray(Number(start), end === '' ? bytes.length : Number(end) + 1);
    const answer = behaviour.image(part, Number(start));
    return answer instanceof Uint8Array ? { status: 206, body: answer } : answer;
  }

  /** The device that holds the update certificate of this connection; null: it has none of ours. */
  function deviceOf(socket: TLSSocket): string | null {
    const raw = socket.getPeerX509Certificate()?.raw;
    if (raw === undefined) return null;
    const certificate = parseCertificate(new Uint8Array(raw));
    const isOurs = equalBytes(certificate.issuer.der, updateCa.certificate.subject.der);
    const name = /CN=([0-9a-f]{64})/.exec(socket.getPeerX509Certificate()?.subject ?? '');
    return isOurs ? (name?.[1] ?? null) : null;
  }

  async function answer(request: IncomingMessage, body: Uint8Array): Promise<WrongAnswer | 'cut'> {
    const path = request.url ?? '';
    const socket = request.socket as TLSSocket;
    received.requests.push(`${path} ${request.headers.range ?? ''}`.trim());
    const instead = behaviour.instead(path);
    if (instead !== null) return instead;
    if (path === DEVICE_PATHS.attest) return attest(body, socket);
    const deviceId = deviceOf(socket);
    if (deviceId === null) return problem(401, 'UpdateCertificateNeeded', 'Attest first.');
    if (path === DEVICE_PATHS.plan) return plan(body, deviceId);
    if (path === DEVICE_PATHS.reports) return reports(body);
    if (path.startsWith(DEVICE_PATHS.images)) return image(path, request.headers.range);
    return problem(404, 'UnknownRoute', 'There is nothing here.');
  }

  const server = createServer(
    {
      cert: toPem('CERTIFICATE', serverCertificate.der),
      key: toPem('PRIVATE KEY', serverKey.pkcs8),
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      collect(request)
        .then((body) => answer(request, body))
        .then(
          (given) => send(response, given),
          (error: unknown) => send(response, problem(500, 'Internal', String(error))),
        );
    },
  );
  const port = await listen(server);

  const service: TestDeviceService = {
    behaviour,
    planKey,
    tenantId: TENANT,
    received,
    blobs,
    now,
    certStore: {
      endpoints: [{ host: 'devices.example', port, serverName: 'devices.example' }],
      tlsRoots: [root.certificate.der],
    },
    endorse: (spki) => {
      endorsed.set(Buffer.from(sha256(spki)).toString('hex'), spki);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return service;
}

/** A refusal as the real service words it. */
export function problem(status: number, code: string, message: string, retryAfter?: number): WrongAnswer {
  const headers = {
    'content-type': DEVICE_CONTENT_TYPES.problem,
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  };
  return { status, headers, body: encodeDeviceProblem({ code, message }) };
}

async function collect(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}

function send(response: ServerResponse, given: WrongAnswer | 'cut'): void {
  if (given === 'cut') {
    response.destroy();
    return;
  }
  response.writeHead(given.status, { 'content-type': DEVICE_CONTENT_TYPES.cbor, ...given.headers });
  response.end(given.body);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

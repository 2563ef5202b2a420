import type { AddressInfo } from 'node:net';
import {
  createClient,
  createHttpsTransport,
  createRequestSigner,
  type Client,
  type HttpTransport,
  type RequestSigner,
  type Role,
} from '@sevenfold/api';
import { generateKeyPair, signWithPkcs8, toPem } from '@sevenfold/pki';
import type { FastifyInstance } from 'fastify';
import { ensureFirstAdministratorToken, enrol, invite } from './access/enrol.ts';
import { accessHandlers } from './access/routes.ts';
import { RecentMessages, telemetryHandlers } from './broker/recent-messages.ts';
import { attestationHandlers } from './attestation/routes.ts';
import { CertificateAuthorities } from './certificates/authorities.ts';
import { certificateHandlers } from './certificates/routes.ts';
import { makeServerIdentity } from './certificates/server-identity.ts';
import { deploymentHandlers } from './deployments/routes.ts';
import { errorHandlers } from './errors/routes.ts';
import { createPeopleServer, type ServerLimits } from './http/people-server.ts';
import { serviceHandlers } from './http/service-routes.ts';
import { imageHandlers } from './images/routes.ts';
import { manufacturingHandlers } from './manufacturing/routes.ts';
import { registryHandlers } from './registry/routes.ts';
import { openTestService, type TestService } from './test-service.ts';
import { deviceState } from './updates/device-state.ts';

/** Somebody with a key pair, enrolled or not. */
export interface TestPerson {
  readonly principalId: string;
  readonly spki: Uint8Array;
  readonly signer: RequestSigner;
  readonly client: Client;
}

/** The people's port of the real service on loopback, and people to call it. */
export interface TestPeople {
  readonly service: TestService;
  readonly app: FastifyInstance;
  readonly baseUrl: string;
  readonly port: number;
  readonly tlsRootPem: string;
  readonly transport: HttpTransport;
  /** Enrols somebody new; `tenantId` null: of the whole service. */
  person(role: Role, tenantId: string | null): Promise<TestPerson>;
  close(): Promise<void>;
}

/** A key pair and its signer, known to nobody yet. */
function makeKey(): {
  readonly spki: Uint8Array;
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
} {
  const { spki, pkcs8 } = generateKeyPair();
  return { spki, sign: (message) => Promise.resolve(signWithPkcs8(pkcs8, message)) };
}

/** Starts the port; everything behind it is real. */
export async function startTestPeople(limits: Partial<ServerLimits> = {}): Promise<TestPeople> {
  const service = await openTestService();
  const authorities = new CertificateAuthorities(service);
  await authorities.ensureAuthorities();
  const tls = await makeServerIdentity({ ...service, authorities }, ['localhost', '127.0.0.1']);
  const context = {
    ...service,
    authorities,
    deviceState: (device: { readonly deviceId: string; readonly tenantId: string }) =>
      deviceState(service, device),
  };
  let baseUrl = '';
  const root = await authorities.issuing('root', null);
  const tlsRootPem = toPem('CERTIFICATE', root.certificate.der);
  const app = createPeopleServer({
    context,
    tls: { key: tls.keyPem, cert: tls.certificatePem },
    audiences: () => [baseUrl],
    limits: {
      refusals: { burst: 10_000, perSecond: 1 },
      requests: { burst: 10_000, perSecond: 1 },
      ...limits,
    },
    handlers: {
      ...serviceHandlers({
        clock: service.clock,
        keys: service.keys,
        trust: () =>
          Promise.resolve({
            deviceHost: '127.0.0.1',
            devicePort: 1,
            deviceServerName: 'localhost',
            tlsRoots: [],
            planSigningKey: new Uint8Array(91),
            brokerHost: '127.0.0.1',
            brokerPort: 2,
          }),
      }),
      ...accessHandlers(context),
      ...registryHandlers(context),
      ...attestationHandlers(context),
      ...certificateHandlers(context),
      ...imageHandlers(context),
      ...deploymentHandlers(context),
      ...manufacturingHandlers(context),
      ...errorHandlers(context),
      ...telemetryHandlers(new RecentMessages()),
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  // A TCP server's address is an object.
  const { port } = app.server.address() as AddressInfo;
  baseUrl = `https://127.0.0.1:${port}`;
  const { transport, close } = createHttpsTransport({ tlsRootPem });

  return {
    service,
    app,
    baseUrl,
    port,
    tlsRootPem,
    transport,
    async person(role, tenantId) {
      const { spki, sign } = makeKey();
      const token =
        (role === 'Administrator' && tenantId === null
          ? await ensureFirstAdministratorToken(service)
          : null) ?? (await invite(service, { role, tenantId })).token;
      const { principalId } = await enrol(service, { token, name: `${role} of the test`, spki });
      const signer = createRequestSigner(principalId, sign);
      const client = createClient({ baseUrl, transport, signer, now: () => service.clock.now() });
      return { principalId, spki, signer, client };
    },
    async close() {
      close();
      await app.close();
      await service.close();
    },
  };
}

import { once } from 'node:events';
import { Server, type SecureContextOptions } from 'node:tls';
import type { Clock, Entropy } from '@sevenfold/formats';
import { openFileKeyStore, toPem, type KeyStore } from '@sevenfold/pki';
import type { FastifyInstance } from 'fastify';
import { ensureFirstAdministratorToken, sweepEnrolmentTokens } from './access/enrol.ts';
import { accessHandlers } from './access/routes.ts';
import { attestationHandlers } from './attestation/routes.ts';
import { openFolderBlobStore } from './blobs/folder-blob-store.ts';
import { RecentMessages, telemetryHandlers } from './broker/recent-messages.ts';
import { createBrokerGate } from './broker-gate.ts';
import { choosePort } from './choose-port.ts';
import { CertificateAuthorities } from './certificates/authorities.ts';
import { renewIntermediate } from './certificates/renew-intermediate.ts';
import { certificateHandlers } from './certificates/routes.ts';
import { makeServerIdentity } from './certificates/server-identity.ts';
import { openDataFolder, type Ports } from './data-folder.ts';
import { deploymentHandlers } from './deployments/routes.ts';
import { createDeviceServer, type DeviceServerLimits } from './device-port/device-server.ts';
import { FLEET_SCHEDULE, type Schedule } from './device-port/schedule.ts';
import { sweepReports } from './errors/ingest-reports.ts';
import { errorHandlers } from './errors/routes.ts';
import type { Handlers } from './http/handlers.ts';
import { createLog, type ServiceLog } from './http/log.ts';
import { createPeopleServer, type ServerLimits } from './http/people-server.ts';
import { serviceHandlers } from './http/service-routes.ts';
import { imageSigningKey } from './images/image-signer.ts';
import { imageHandlers } from './images/routes.ts';
import { runDueJobs, type Job } from './jobs/jobs.ts';
import { manufacturingHandlers } from './manufacturing/routes.ts';
import { openLogFile, SYSTEM_CLOCK, SYSTEM_ENTROPY } from './real-world.ts';
import { registryHandlers } from './registry/routes.ts';
import type { ServiceContext } from './service-context.ts';
import { ServiceError } from './service-error.ts';
import { migrate } from './store/migrate.ts';
import { SCHEMAS } from './store/schemas.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import { deviceState } from './updates/device-state.ts';
import { planSigningKey } from './updates/plan-for-device.ts';

/** How a service is started. Everything but `dataDir` has a default that suits one machine. */
export interface ServiceOptions {
  /** Holds everything the service knows; made with mode 0700. */
  readonly dataDir: string;
  /** Address to listen on; loopback unless said otherwise. */
  readonly host?: string;
  /** Name by which devices and people reach `host`; goes into the TLS certificates. */
  readonly serverName?: string;
  /** 0 or absent: chosen at the first start, and the same at every later one. */
  readonly ports?: Partial<Ports>;
  /** Unless given: files in `keys` of the data folder. */
  readonly keys?: KeyStore;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  /** Unless given: JSON lines in `service.log` of the data folder. */
  readonly log?: ServiceLog;
  /** When devices come back. */
  readonly schedule?: Schedule;
  /** Of all three ports, as far as a port knows them. */
  readonly limits?: Partial<ServerLimits & DeviceServerLimits>;
}

/** A service that is up. */
export interface RunningService {
  /** Such as `https://127.0.0.1:40123`. */
  readonly peopleUrl: string;
  readonly peoplePort: number;
  readonly devicePort: number;
  readonly brokerPort: number;
  /** The only root that clients of any port have to believe. */
  readonly tlsRootPem: string;
  /** To be shown once; null when somebody has enrolled. Good for 10 minutes. */
  readonly administratorToken: string | null;
  /** Ends all connections and lets go of the data folder. */
  close(): Promise<void>;
}

const HOUR = 3_600_000;
/** How often due jobs are looked for. Ms. */
const JOB_ROUND = 60_000;

/**
 * Starts the whole service on a folder: what the first start made, every later one finds. What fails half-way leaves
 * nothing open. Errors: `DataFolderInUse`, `DataFolderDamaged`, `NewerDatabase`, `PortInUse`.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  await using parts = new AsyncDisposableStack();
  const clock = options.clock ?? SYSTEM_CLOCK;
  const entropy = options.entropy ?? SYSTEM_ENTROPY;
  const host = options.host ?? '127.0.0.1';
  const isLoopback = host === '127.0.0.1' || host === 'localhost';
  const serverName = options.serverName ?? (isLoopback ? 'localhost' : host);

  const folder = openDataFolder(options.dataDir);
  parts.defer(() => folder.close());
  const log =
    options.log ??
    createLog(
      parts.adopt(openLogFile(folder.pathOf('service.log')), (file) => file.close()),
      clock,
    );
  const store = openSqliteStore(folder.pathOf('service.sqlite'));
  parts.defer(() => store.close());
  await migrate(store, SCHEMAS, clock.now());
  const context: ServiceContext = {
    store,
    blobs: await openFolderBlobStore(folder.pathOf('blobs')),
    keys: options.keys ?? (await openFileKeyStore(folder.pathOf('keys'))),
    clock,
    entropy,
    log,
  };

  // Made now, so that no two requests ever want to make the same key.
  await imageSigningKey(context.keys);
  await planSigningKey(context.keys);
  const authorities = new CertificateAuthorities(context);
  const keepAuthorities = async (): Promise<void> => {
    await authorities.ensureAuthorities();
    const ends = await renewIntermediate({ ...context, authorities });
    if (ends === null) return;
    const fields = { serial: ends.serial, end: new Date(ends.endsAt).toISOString(), remedy: ends.remedy };
    log.warn(fields, 'an authority comes to its end');
  };
  await keepAuthorities();
  const root = (await authorities.issuing('root', null)).certificate;
  const makeIdentity = () => makeServerIdentity({ ...context, authorities }, [serverName, ...namesOf(host)]);
  let identity = await makeIdentity();
  const tls = () => ({ key: identity.keyPem, cert: identity.certificatePem });

  let peopleUrl = '';
  let audiences: readonly string[] = [];
  const remembered = await folder.readPorts();
  const ports = { people: 0, device: 0, broker: 0 };
  const messages = new RecentMessages();
  const gate = createBrokerGate({
    context,
    authorities,
    tls,
    limits: options.limits ?? {},
    onMessage: (message) => messages.add(message, clock.now()),
  });
  const people = createPeopleServer({
    context,
    tls: tls(),
    audiences: () => audiences,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    handlers: makeHandlers({ ...context, authorities, gate, messages }, async () => ({
      deviceHost: host,
      devicePort: ports.device,
      deviceServerName: serverName,
      tlsRoots: [root.der],
      planSigningKey: await planSigningKey(context.keys),
      brokerHost: host,
      brokerPort: ports.broker,
    })),
  });
  const devices = createDeviceServer({
    context,
    authorities,
    schedule: options.schedule ?? FLEET_SCHEDULE,
    tls: tls(),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });

  await gate.refresh();
  parts.defer(() => gate.close());
  const portOf = async (name: keyof Ports): Promise<number> =>
    (options.ports?.[name] ?? 0) || (remembered?.[name] ?? (await choosePort(host, entropy)));
  ports.broker = await listening('broker', await portOf('broker'), (port) => gate.listen(host, port));
  parts.defer(() => devices.close());
  ports.device = await listening('device', await portOf('device'), (port) => listen(devices, host, port));
  parts.defer(() => people.close());
  ports.people = await listening('people', await portOf('people'), (port) => listen(people, host, port));
  await folder.writePorts(ports);
  peopleUrl = `https://${isLoopback ? '127.0.0.1' : serverName}:${ports.people}`;
  audiences = [...new Set([peopleUrl, `https://${serverName}:${ports.people}`])];

  const renewIdentity = async (): Promise<void> => {
    const issuer = (await authorities.issuing('intermediate', null)).certificate.serial;
    if (clock.now() < identity.renewAt && identity.issuerSerial === issuer) return;
    identity = await makeIdentity();
    renewCertificate(people, { ...tls(), minVersion: 'TLSv1.2' });
    renewCertificate(devices, { ...tls(), minVersion: 'TLSv1.3' });
  };
  const jobs: readonly Job[] = [
    { name: 'sweep-enrolment-tokens', every: HOUR, run: () => sweepEnrolmentTokens(context) },
    { name: 'sweep-reports', every: 24 * HOUR, run: () => sweepReports(context) },
    // Authorities, server certificates and the broker's view of them follow the calendar.
    { name: 'ensure-authorities', every: 12 * HOUR, run: keepAuthorities },
  ];
  const upkeep = async (): Promise<void> => {
    await runDueJobs(context, HOLDER, jobs);
    await renewIdentity();
    await gate.refresh();
  };
  parts.defer(startRounds(context, clock, upkeep));

  const administratorToken = await ensureFirstAdministratorToken(context);
  log.info({ people: ports.people, device: ports.device, broker: ports.broker }, 'the service is up');
  const whole = parts.move();
  return {
    peopleUrl,
    peoplePort: ports.people,
    devicePort: ports.device,
    brokerPort: ports.broker,
    tlsRootPem: toPem('CERTIFICATE', root.der),
    administratorToken,
    close: () => whole.disposeAsync(),
  };
}

/** One process a folder: its name in leases need not differ from that of the process before it. */
const HOLDER = 'service';

type HandlerContext = ServiceContext & {
  readonly authorities: CertificateAuthorities;
  readonly gate: { refresh(): Promise<void> };
  readonly messages: RecentMessages;
};

/** Every capability's part of the contract; the type says that none is missing. */
function makeHandlers(
  context: HandlerContext,
  trust: Parameters<typeof serviceHandlers>[0]['trust'],
): Handlers {
  const registry = registryHandlers({
    ...context,
    deviceState: (device) => deviceState(context, device),
  });
  return {
    ...serviceHandlers({ ...context, trust }),
    ...accessHandlers(context),
    ...registry,
    async createTenant(request) {
      const tenant = await registry.createTenant(request);
      // The first tenant is the one that the embedded broker serves.
      await context.gate.refresh();
      return tenant;
    },
    ...attestationHandlers(context),
    ...certificateHandlers(context),
    ...imageHandlers(context),
    ...deploymentHandlers(context),
    ...manufacturingHandlers(context),
    ...errorHandlers(context),
    ...telemetryHandlers(context.messages),
  };
}

/** Runs `upkeep` now and then; answers how to stop, which waits for a round that is under way. */
function startRounds(
  context: ServiceContext,
  clock: Clock,
  upkeep: () => Promise<void>,
): () => Promise<void> {
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');
  const rounds = (async () => {
    while (!stopping.signal.aborted) {
      try {
        await upkeep();
      } catch (error) {
        context.log.error({}, 'the upkeep failed and will be tried again', error);
      }
      await Promise.race([clock.sleep(JOB_ROUND), stopped]);
    }
  })();
  return async () => {
    stopping.abort();
    await rounds;
  };
}

/** The certificate of connections to come. */
function renewCertificate(app: FastifyInstance, options: SecureContextOptions): void {
  if (app.server instanceof Server) app.server.setSecureContext(options);
}

/** Names under which a client may address this machine, beside the service's own. */
function namesOf(host: string): readonly string[] {
  return host === 'localhost' || host === '127.0.0.1' ? ['127.0.0.1'] : [host];
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  await app.listen({ host, port });
}

/** A remembered port is part of what devices know: no other one will do. */
async function listening(
  name: keyof Ports,
  port: number,
  start: (port: number) => Promise<void>,
): Promise<number> {
  try {
    await start(port);
    return port;
  } catch (cause) {
    const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
    if (!isTaken) throw cause;
    throw new ServiceError('PortInUse', `Port ${port} is taken by another program.`, {
      field: `ports.${name}`,
      rule: 'devices know this port: end the other program, or move this service by `ports`',
      cause,
    });
  }
}

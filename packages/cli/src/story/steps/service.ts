import { readdirSync, statSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { join, relative } from 'node:path';
import { ROUTES, type Client, type Tenant } from '@sevenfold/api';
import { startService, type RunningService } from '@sevenfold/service';
import { allItems } from '../../context.ts';
import { connect, enrol, readProfile, writeProfile, type Connection } from '../../profile.ts';
import { inWords, prove, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';

/** The service, and the story as an Administrator of it. */
export interface PlatformStep extends StepResult {
  readonly service: RunningService;
  readonly connection: Connection;
  /** The tenant of the story's device. */
  readonly tenant: Tenant;
  /** Another tenant: what is its must stay its. */
  readonly neighbour: Tenant;
}

const TENANT = 'Contoso Appliances';
const NEIGHBOUR = 'Fabrikam Meters';

/** Step 1: the service is up, the first Administrator has enrolled, the authorities are made. */
export async function bringUpService(telling: Telling, journal: Journal): Promise<PlatformStep> {
  const folder = join(telling.dataDir, 'service');
  const { clock, entropy } = telling;
  const service = await startService({ dataDir: folder, clock, entropy });
  const { connection, how } = await signIn(telling, service);
  const { client } = connection;

  const tenant = await ensureTenant(client, TENANT, journal);
  const neighbour = await ensureTenant(client, NEIGHBOUR, journal);
  writeProfile(join(telling.dataDir, 'cli'), { ...connection.profile, tenantId: tenant.tenantId });

  const lifetimes = await readLifetimes(client, tenant.tenantId);
  prove(
    lifetimes.map(({ words }) => words).join() === '2 years,10 years,20 years',
    `The authorities live ${lifetimes.map(({ words }) => words).join(', ')}.`,
  );
  return {
    service,
    connection,
    tenant,
    neighbour,
    proved: [
      `people: ${service.peopleUrl} · devices: port ${service.devicePort} · broker: port ${service.brokerPort}, each with TLS`,
      lifetimes
        .toReversed()
        .map(({ name, words }) => `${name} ${words}`)
        .join(' → '),
      `${countPrivateFiles(folder)} private key files, all of mode 0600`,
      how,
    ],
    facts: {
      lifetimes: lifetimes.map(({ words }) => words).join(),
      tenants: `${tenant.name}, ${neighbour.name}`,
    },
  };
}

/** Signs in as the profile's principal; enrols first where the service has just printed its one-time token. */
async function signIn(
  telling: Telling,
  service: RunningService,
): Promise<{ readonly connection: Connection; readonly how: string }> {
  const folder = join(telling.dataDir, 'cli');
  const now = (): number => telling.clock.now();
  if (readProfile(folder) === null) {
    await enrol({
      folder,
      serviceUrl: service.peopleUrl,
      tlsRootPem: service.tlsRootPem,
      token: service.administratorToken,
      name: 'first administrator',
      now,
    });
  }
  const connection = await connect(folder, now);
  const me = await connection.client.call(ROUTES.me);
  prove(me.role === 'Administrator', `The story is ${me.role}, not Administrator.`);
  return {
    connection,
    how:
      service.administratorToken === null
        ? 'signed in as the first Administrator with its own key pair'
        : `one-time token ${service.administratorToken} exchanged for a key pair; the service kept its hash alone`,
  };
}

async function ensureTenant(client: Client, name: string, journal: Journal): Promise<Tenant> {
  const tenants = await allItems<Tenant>((query) => client.call(ROUTES.tenants, { query }));
  const tenant =
    tenants.find((candidate) => candidate.name === name) ??
    (await client.call(ROUTES.createTenant, { body: { name } }));
  journal.acknowledge({ kind: 'tenant', id: tenant.tenantId });
  // The story's chips are virtual, and nobody trusts those unless the tenant says so.
  return tenant.allowedVirtualSkus.includes('SF-V1')
    ? tenant
    : client.call(ROUTES.updateTenant, {
        params: { tenantId: tenant.tenantId },
        body: { allowedVirtualSkus: ['SF-V1'] },
      });
}

async function readLifetimes(
  client: Client,
  tenantId: string,
): Promise<readonly { readonly name: string; readonly words: string }[]> {
  const { items } = await client.call(ROUTES.certificates, { params: { tenantId } });
  const active = items.find((certificate) => certificate.status === 'Active');
  prove(active !== undefined, 'The tenant has no active CA.');
  const { chainPem } = await client.call(ROUTES.certificateChain, {
    params: { tenantId, serial: active.serial },
  });
  const chain = chainPem
    .split(/(?<=-----END CERTIFICATE-----\n?)(?=-----BEGIN)/)
    .map((pem) => new X509Certificate(pem));
  const names = ['tenant CA', 'intermediate', 'root'];
  return chain.map((certificate, index) => ({
    name: names[index] ?? certificate.subject,
    words: inWords(certificate.validToDate.getTime() - certificate.validFromDate.getTime()),
  }));
}

function countPrivateFiles(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => relative(folder, path).split('/').includes('keys'));
  for (const path of files) prove((statSync(path).mode & 0o777) === 0o600, `${path} can be read by others.`);
  prove(files.length > 0, 'The service keeps no keys.');
  return files.length;
}

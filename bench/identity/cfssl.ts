import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeSigningRequest, generateKeyPair, issueAndParse, signWithPkcs8, toPem } from '@sevenfold/pki';
import { choosePort } from '../../packages/service/src/choose-port.ts';
import { SYSTEM_ENTROPY } from '../../packages/service/src/real-world.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';
import type { Fleet } from './fleet.ts';
import { postRequest, runLoad, type LoadTarget } from './keep-alive.ts';
import { startServer, type ServerProcess } from './processes.ts';
import { attestationLoad, startFleetService } from './service.ts';

const CONNECTIONS = 16;
const REQUESTS = 1600;
const LEAST_RATIO = 1.5;
/** The kindest ones that are still durable: a log instead of a journal, and patience instead of errors. */
const SQLITE_OPTIONS = '_journal_mode=WAL&_synchronous=FULL&_busy_timeout=60000';
const NAME = 'client certificates, HTTP keep-alive, durable';
const TARGET = `≥ ${LEAST_RATIO} × per CPU second`;

/** As cfssl's own migrations for SQLite leave it (certdb/sqlite/migrations). */
const CERTIFICATE_DATABASE = `
create table certificates (serial_number blob not null, authority_key_identifier blob not null, ca_label blob,
  status blob not null, reason int, expiry timestamp, revoked_at timestamp, pem blob not null,
  primary key (serial_number, authority_key_identifier));
create table ocsp_responses (serial_number blob not null, authority_key_identifier blob not null, body blob not null,
  expiry timestamp, primary key (serial_number, authority_key_identifier),
  foreign key (serial_number, authority_key_identifier)
    references certificates (serial_number, authority_key_identifier));`;

/** Client certificates for each CPU second of the server: attested ones of ours, signed CSRs of cfssl's. */
export async function measureAgainstCfssl(fleet: Fleet, scratch: string): Promise<readonly Figure[]> {
  if (spawnSync('cfssl', ['version']).error) {
    const peer = 'cfssl is missing: Debian package golang-cfssl';
    return [{ name: NAME, measured: '–', peer, target: TARGET, isMet: false }];
  }
  await using parts = new AsyncDisposableStack();
  const service = parts.adopt(await startFleetService(fleet), (server) => server.stop());
  const { server, ca } = await startCfssl(join(scratch, 'cfssl'));
  parts.defer(() => server.stop());
  const [ours, theirs] = [attestationLoad(fleet, service), await signingLoad(server, ca)];
  const pairs = await alternate(
    () => runLoad(ours, CONNECTIONS, REQUESTS),
    () => runLoad(theirs, CONNECTIONS, REQUESTS),
  );
  const perCpu = compare(pairs, ({ ratePerCpu }) => ratePerCpu);
  const rate = compare(pairs, (load) => load.rate);
  return [
    {
      name: NAME,
      measured: `${Math.round(perCpu.ours)} per CPU second (${Math.round(rate.ours)}/s) = ${perCpu.ratio.toFixed(2)} ×`,
      peer: `cfssl serve: ${Math.round(perCpu.theirs)} per CPU second (${Math.round(rate.theirs)}/s)`,
      target: TARGET,
      isMet: perCpu.ratio >= LEAST_RATIO,
    },
  ];
}

/** cfssl with a P-256 CA, TLS and a database: every certificate is on disk before its answer, as with ours. */
async function startCfssl(folder: string): Promise<{ readonly server: ServerProcess; readonly ca: string }> {
  mkdirSync(folder);
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const root = generateKeyPair();
  const tls = generateKeyPair();
  const sign = async (message: Uint8Array) => signWithPkcs8(root.pkcs8, message);
  const made = { now: Date.now(), entropy: SYSTEM_ENTROPY };
  const authority = await issueAndParse(
    'root',
    { subject: [['CN', 'Bench CA']], publicKey: root.spki, ...made },
    { certificate: null, sign },
  );
  const identity = await issueAndParse(
    'tlsServer',
    { subject: [['CN', 'localhost']], publicKey: tls.spki, hostNames: ['localhost'], ...made },
    { certificate: authority, sign },
  );
  const database = new DatabaseSync(join(folder, 'certificates.db'));
  database.exec(CERTIFICATE_DATABASE);
  database.close();
  const ca = toPem('CERTIFICATE', authority.der);
  const usages = ['digital signature', 'client auth'];
  const port = await choosePort('127.0.0.1', SYSTEM_ENTROPY);
  const options = {
    address: '127.0.0.1',
    port: String(port),
    // Less than it says by itself: its log costs it CPU time, too.
    loglevel: '3',
    ca: file('ca.pem', ca),
    'ca-key': file('ca-key.pem', toPem('PRIVATE KEY', root.pkcs8)),
    'tls-cert': file('tls.pem', toPem('CERTIFICATE', identity.der)),
    'tls-key': file('tls-key.pem', toPem('PRIVATE KEY', tls.pkcs8)),
    config: file('config.json', JSON.stringify({ signing: { default: { expiry: '24h', usages } } })),
    'db-config': file(
      'database.json',
      JSON.stringify({
        driver: 'sqlite3',
        data_source: `file:${join(folder, 'certificates.db')}?${SQLITE_OPTIONS}`,
      }),
    ),
  };
  const flags = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
  return { server: await startServer('cfssl', ['serve', ...flags], () => port), ca };
}

/** Requests for P-256 keys, all different. */
async function signingLoad(server: ServerProcess, ca: string): Promise<LoadTarget> {
  const requests: Uint8Array[] = [];
  for (let number = 0; number < REQUESTS; number++) {
    const { spki, pkcs8 } = generateKeyPair();
    const csr = await encodeSigningRequest([['CN', `device ${number}`]], spki, async (message) =>
      signWithPkcs8(pkcs8, message),
    );
    const body = JSON.stringify({ certificate_request: toPem('CERTIFICATE REQUEST', csr) });
    requests.push(postRequest('/api/v1/cfssl/sign', 'application/json', Buffer.from(body)));
  }
  let next = 0;
  return {
    port: server.port,
    ca,
    servername: 'localhost',
    cpuSeconds: () => server.cpuSeconds(),
    prepare: () => requests[next++ % requests.length] ?? new Uint8Array(0),
  };
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVICE_CONTENT_TYPES, DEVICE_PATHS } from '@sevenfold/formats';
import { generateKeyPair, issueAndParse, signWithPkcs8, toPem } from '@sevenfold/pki';
import { choosePort } from '../../packages/service/src/choose-port.ts';
import { SYSTEM_ENTROPY } from '../../packages/service/src/real-world.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare, quantile } from '../pairs.ts';
import { exporterOf } from './exporter.ts';
import type { Fleet } from './fleet.ts';
import { KeepAliveConnection, postRequest } from './keep-alive.ts';
import { startServer, type ServerProcess } from './processes.ts';
import { startFleetService } from './service.ts';

/** Devices that are under way at the same time. */
const CLIENTS = 32;
const ATTESTATIONS = 640;
/** About what a reply with two chains has. */
const ANSWER_BYTES = 3400;
const LEAST_SHARE = 0.8;
const MOST_P99 = 3;

interface Round {
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
}

interface Target {
  readonly port: number;
  readonly ca: string;
}

/** Whole attestations by clients that connect each time, beside the same clients at a server that does nothing. */
export async function measureFreshConnections(fleet: Fleet): Promise<readonly Figure[]> {
  await using parts = new AsyncDisposableStack();
  const service = parts.adopt(await startFleetService(fleet), (server) => server.stop());
  const { server, ca } = await startBareServer(fleet.folder);
  parts.defer(() => server.stop());
  const pairs = await alternate(
    () => attestAfresh(fleet, { port: service.port, ca: fleet.rootPem }),
    () => attestAfresh(fleet, { port: server.port, ca }),
  );
  const rate = compare(pairs, (round) => round.rate);
  const p99 = compare(pairs, (round) => round.p99);
  return [
    {
      name: 'attestations over fresh TLS 1.3 connections',
      measured: `${Math.round(rate.ours)}/s = ${(100 * rate.ratio).toFixed(0)} %`,
      peer: `bare TLS 1.3 server: ${Math.round(rate.theirs)}/s`,
      target: `≥ ${100 * LEAST_SHARE} %`,
      isMet: rate.ratio >= LEAST_SHARE,
    },
    {
      name: 'their p99',
      measured: `${p99.ours.toFixed(1)} ms = ${p99.ratio.toFixed(2)} ×`,
      peer: `bare TLS 1.3 server: ${p99.theirs.toFixed(1)} ms`,
      target: `≤ ${MOST_P99} ×`,
      isMet: p99.ratio <= MOST_P99,
    },
  ];
}

/** With a certificate of the kind that the service has. */
async function startBareServer(
  folder: string,
): Promise<{ readonly server: ServerProcess; readonly ca: string }> {
  const [root, tls] = [generateKeyPair(), generateKeyPair()];
  const sign = async (message: Uint8Array) => signWithPkcs8(root.pkcs8, message);
  const made = { now: Date.now(), entropy: SYSTEM_ENTROPY };
  const authority = await issueAndParse(
    'root',
    { subject: [['CN', 'Bench root']], publicKey: root.spki, ...made },
    { certificate: null, sign },
  );
  const leaf = await issueAndParse(
    'tlsServer',
    { subject: [['CN', 'localhost']], publicKey: tls.spki, hostNames: ['localhost'], ...made },
    { certificate: authority, sign },
  );
  const [key, cert] = [join(folder, 'bare-key.pem'), join(folder, 'bare.pem')];
  writeFileSync(key, toPem('PRIVATE KEY', tls.pkcs8), { mode: 0o600 });
  writeFileSync(cert, toPem('CERTIFICATE', leaf.der));
  const port = await choosePort('127.0.0.1', SYSTEM_ENTROPY);
  const child = join(import.meta.dirname, 'bare-server.child.ts');
  const childArgs = [child, String(port), key, cert, String(ANSWER_BYTES)];
  return {
    server: await startServer(process.execPath, childArgs, () => port),
    ca: toPem('CERTIFICATE', authority.der),
  };
}

async function attestAfresh(fleet: Fleet, { port, ca }: Target): Promise<Round> {
  const times: number[] = [];
  let next = 0;
  const began = performance.now();
  const client = async (): Promise<void> => {
    while (next < ATTESTATIONS) {
      const chip = fleet.chips[next++ % fleet.chips.length];
      const start = performance.now();
      const connection = await KeepAliveConnection.open(port, ca, 'localhost');
      const body = chip?.attestation(exporterOf(connection.socket)) ?? new Uint8Array(0);
      const status = await connection.request(
        postRequest(DEVICE_PATHS.attest, DEVICE_CONTENT_TYPES.cbor, body),
      );
      connection.close();
      if (status !== 200) throw new Error(`an answer with status ${status}`);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const seconds = (performance.now() - began) / 1000;
  return { rate: ATTESTATIONS / seconds, p99: quantile(times, 0.99) };
}

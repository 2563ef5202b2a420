import { connect as connectMqtt } from 'mqtt';
import { ROUTES, type Client, type TelemetryMessage } from '@sevenfold/api';
import type { OsRelease } from '@sevenfold/device';
import type { BuiltApp } from '@sevenfold/sdk';
import { prove, waitFor, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';
import { attestDevice, bootDevice, claimDevice, manufactureDevice } from './device.ts';
import { deploy, waitForApp } from './app.ts';
import type { Progress } from '../../narrator.ts';

/** What `examples/blink` says of itself. */
interface BlinkTelemetry {
  readonly version: number;
  readonly blinks: number;
  readonly denied: Readonly<Record<string, string>>;
}

function parseTelemetry(message: TelemetryMessage): BlinkTelemetry | null {
  let value: unknown;
  try {
    value = JSON.parse(message.payload);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('version' in value) || !('blinks' in value))
    return null;
  const { version, blinks } = value;
  const denied =
    'denied' in value && typeof value.denied === 'object' && value.denied !== null ? value.denied : {};
  if (typeof version !== 'number' || typeof blinks !== 'number') return null;
  return {
    version,
    blinks,
    denied: Object.fromEntries(Object.entries(denied).map(([name, code]) => [name, String(code)])),
  };
}

/** The newest telemetry that the broker took from a device since `since` (ms since 1970). */
async function waitForTelemetry(
  telling: Telling,
  client: Client,
  tenantId: string,
  deviceId: string,
  since: number,
): Promise<BlinkTelemetry> {
  return waitFor(telling, 'telemetry at the broker', 30, async () => {
    const { items } = await client.call(ROUTES.telemetry, { params: { tenantId } });
    const mine = items.filter((item) => item.deviceId === deviceId && Date.parse(item.time) >= since);
    return mine.map(parseTelemetry).find((telemetry) => telemetry !== null) ?? null;
  });
}

/** Whether the broker takes a client that shows no certificate. */
function connectWithoutCertificate(host: string, port: number, ca: readonly Buffer[]): Promise<string> {
  return new Promise((resolve) => {
    const client = connectMqtt({
      protocol: 'mqtts',
      host,
      port,
      // The story checks who is let in, not whom it talks to.
      rejectUnauthorized: false,
      ca: [...ca],
      reconnectPeriod: 0,
      connectTimeout: 5_000,
    });
    const end = (answer: string): void => {
      client.end(true);
      resolve(answer);
    };
    client.once('connect', () => end('accepted'));
    client.once('error', (error: Error) => end('code' in error ? String(error.code) : error.message));
    client.once('close', () => end('closed'));
  });
}

/** Step 9: telemetry reaches a broker that knows the tenant CA alone; nobody else gets in. */
export async function sendTelemetry(
  telling: Telling,
  client: Client,
  tenantId: string,
  deviceId: string,
  since: number,
  neighbour: { readonly deviceId: string; readonly refusal: string },
): Promise<StepResult> {
  const telemetry = await waitForTelemetry(telling, client, tenantId, deviceId, since);
  const trust = await client.call(ROUTES.trust);
  const roots = trust.tlsRoots.map((root) => Buffer.from(root, 'base64'));
  const { brokerHost, brokerPort } = trust;
  prove(brokerPort !== null, 'The service has no broker.');
  const answer = await connectWithoutCertificate(brokerHost, brokerPort, roots);
  prove(answer !== 'accepted', 'The broker accepted a client without a certificate.');
  const { items } = await client.call(ROUTES.telemetry, { params: { tenantId } });
  prove(
    !items.some((item) => item.deviceId === neighbour.deviceId),
    'The broker took a message of another tenant’s device.',
  );
  return {
    proved: [
      `telemetry of the device at the broker: ${telemetry.blinks} blinks, version ${telemetry.version}`,
      `a client without a certificate is refused (${answer})`,
      `another tenant’s device, trusted and certified there, is refused here: “${neighbour.refusal}”`,
    ],
    facts: { version: String(telemetry.version) },
  };
}

/**
 * A second device, claimed by another tenant and trusted there, whose app tries the first tenant's broker.
 * Resolves with what its app logged when it was refused. Runs inline: both wirings are seen in one story.
 */
export async function tryFromNeighbour(
  telling: Telling,
  client: Client,
  journal: Journal,
  release: OsRelease,
  app: BuiltApp,
  tenantId: string,
  progress: Progress,
): Promise<{ readonly deviceId: string; readonly refusal: string }> {
  const inline: Telling = { ...telling, wiring: 'inline' };
  progress.report(0, 3, 'another tenant’s device');
  const { deviceId } = await manufactureDevice(inline, client, release, 'neighbour');
  const { deviceGroup } = await claimDevice(client, tenantId, deviceId, journal);
  const image = await deploy(client, journal, { tenantId, deviceGroupId: deviceGroup.deviceGroupId }, app);
  const { device } = await bootDevice(inline, 'neighbour');
  try {
    progress.report(1, 3, 'another tenant’s device');
    let refusal: string | null = null;
    device.onLog((line) => {
      const match = /no connection to the cloud.*$/.exec(line);
      if (match) refusal = match[0];
    });
    await attestDevice(inline, client, tenantId, device, release.name);
    await waitForApp(inline, device, image);
    const said = await waitFor(telling, 'the neighbour to be refused', 30, () => refusal);
    return { deviceId, refusal: said };
  } finally {
    await device.close();
  }
}

/** The errno that the platform documents for what a manifest does not name. */
const DOCUMENTED: Readonly<Record<string, { readonly what: string; readonly errno: string }>> = {
  gpio: { what: 'GPIO 9', errno: 'EACCES' },
  host: { what: 'host elsewhere.sevenfold.test', errno: 'EACCES' },
  mutableFile: { what: 'mutable storage', errno: 'EACCES' },
  path: { what: 'a path outside its image', errno: 'ENOENT' },
};

/** Step 10: what the manifest does not name is out of reach, each time with the documented errno. */
export async function tryForbidden(
  telling: Telling,
  client: Client,
  tenantId: string,
  deviceId: string,
  since: number,
): Promise<StepResult> {
  const { denied } = await waitForTelemetry(telling, client, tenantId, deviceId, since);
  const proved = Object.entries(DOCUMENTED).map(([name, { what, errno }]) => {
    prove(denied[name] === errno, `${what}: ${denied[name] ?? 'not tried'}, where ${errno} is documented.`);
    return `${what}: ${errno}`;
  });
  return { proved, facts: denied };
}

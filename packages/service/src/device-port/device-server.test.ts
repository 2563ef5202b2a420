import { once } from 'node:events';
import { connect } from 'node:tls';

import {
  decodeDeviceProblem,
  DEVICE_LIMITS,
  DEVICE_PATHS,
  devicePathOfImage,
  encodePlanRequest,
  encodeReportBatch,
  type ErrorReport,
} from '@sevenfold/formats';
import { generateKeyPair } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  problemIn,
  type ClientIdentity,
  type DeviceConnection,
  type DeviceResponse,
} from './testing/device-client.fixture.ts';
import { openDeviceWorld, type DeviceWorld } from './testing/device-world.fixture.ts';

let world: DeviceWorld;
let connection: DeviceConnection;
beforeAll(async () => {
  world = await openDeviceWorld({
    challenges: { burst: 3, perSecond: 0.01 },
    reports: { burst: 2, perSecond: 0.01 },
  });
  connection = await world.connect();
});
afterAll(async () => {
  connection.close();
  await world.close();
});

/** Everything that the service says to these bytes until it hangs up. */
async function answerTo(
  part: string | Uint8Array,
  { port, rootPem }: Pick<DeviceWorld, 'port' | 'rootPem'> = world,
): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: rootPem });
  await once(socket, 'secureConnect');
  socket.write(part);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function problemOfAnswer(answer: Buffer): { status: string; code: string } {
  const end = answer.indexOf('\r\n\r\n');
  const status = answer.subarray(9, 12).toString();
  return { status, ...decodeDeviceProblem(new Uint8Array(answer.subarray(end + 4))) };
}

const failure = (number: number): ErrorReport => ({
  reportId: new Uint8Array(16).fill(number + 1),
  kind: 'AppCrash',
  componentId: '1d2c3b4a-0000-4000-8000-000000000001',
  imageId: '1d2c3b4a-0000-4000-8000-000000000002',
  osVersion: '26.11.0',
  time: 1_790_000_000,
  uptime: 1,
  trap: 'unreachable',
  exitCode: null,
  frames: [],
  log: [],
  count: 1,
});

describe('the device port answers', () => {
  it('an unknown route', async () => {
    for (const path of ['/', '/device/v2/plan', '/device/v1/images/', '/device/v1/attest/x', '/%zz']) {
      const { status, code } = problemIn(await connection.request('GET', path));
      expect([path, code, status >= 400 && status < 500]).toEqual([path, expect.any(String), true]);
    }
    expect(problemIn(await connection.request('GET', '/nothing'))).toMatchObject({
      status: 404,
      code: 'RouteNotFound',
    });
  });

  it('a method that a path does not have', async () => {
    expect(problemIn(await connection.request('GET', DEVICE_PATHS.attest))).toMatchObject({
      status: 405,
      code: 'MethodNotAllowed',
    });
  });

  it('a body that is too large, before it has read it', async () => {
    const one = await world.connect();
    const body = new Uint8Array(DEVICE_LIMITS.attestRequest + 1);
    expect(problemIn(await one.post(DEVICE_PATHS.attest, body))).toMatchObject({
      status: 413,
      code: 'BodyTooLarge',
    });
    one.close();
  });

  it('a body that is not CBOR, or of another content type', async () => {
    const json = { 'content-type': 'application/json' };
    expect(
      problemIn(await connection.request('POST', DEVICE_PATHS.attest, new Uint8Array(2), json)),
    ).toMatchObject({
      status: 415,
      code: 'UnsupportedMediaType',
    });
    const bodies: [string, number[]][] = [
      ['empty', []],
      ['cut off', [0xa1, 0x01]],
      ['with bytes behind it', [0xa0, 0x00]],
      ['no map', [0x00]],
      ['with a key twice', [0xa2, 0x01, 0x00, 0x01, 0x00]],
      ['indefinite', [0xbf, 0xff]],
    ];
    for (const [what, body] of bodies) {
      const problem = problemIn(await connection.post(DEVICE_PATHS.attest, Uint8Array.from(body)));
      expect([what, problem.status, problem.code]).toEqual([what, 422, expect.stringMatching(/^[A-Z]/u)]);
    }
  });

  it('a request with a missing field, by its name', async () => {
    expect(problemIn(await connection.post(DEVICE_PATHS.attest, Uint8Array.of(0xa0)))).toMatchObject({
      code: 'MissingField',
      field: 'token',
    });
  });

  it('reports from nobody', async () => {
    const problem = problemIn(
      await connection.post(DEVICE_PATHS.reports, encodeReportBatch({ reports: [] })),
    );
    expect(problem).toMatchObject({ status: 401, code: 'UpdateCertificateRequired' });
  });

  it('who asks for more challenges than anybody needs', async () => {
    const one = await world.connect();
    const statuses: number[] = [];
    for (let count = 0; count < 4; count++) {
      statuses.push((await one.request('POST', DEVICE_PATHS.challenge)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
    const refused = await one.request('POST', DEVICE_PATHS.challenge);
    expect(problemIn(refused)).toMatchObject({ status: 429, code: 'TooManyRequests' });
    // One more in a hundred seconds: what it is told is when another try is worth it, and that holds.
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBe(100);
    world.service.clock.advance((seconds - 1) * 1000);
    const early = await one.request('POST', DEVICE_PATHS.challenge);
    expect([early.status, early.headers['retry-after']]).toEqual([429, '1']);
    world.service.clock.advance(1000);
    expect((await one.request('POST', DEVICE_PATHS.challenge)).status).toBe(200);
    one.close();
  });

  it('a device that reports more than a device can fail, and no other one', async () => {
    const statusOf = async (identity: ClientIdentity, count: number): Promise<number> => {
      const one = await world.connect(identity);
      const reports = Array.from({ length: count }, (_, index) => failure(index));
      const { status } = await one.post(DEVICE_PATHS.reports, encodeReportBatch({ reports }));
      one.close();
      return status;
    };
    const { images } = await world.publish('26.11.0');
    const makeIdentity = async (): Promise<ClientIdentity> => {
      const device = await world.makeDevice();
      device.running = images;
      return (await world.certify(device)).update;
    };
    const [loud, quiet] = [await makeIdentity(), await makeIdentity()];
    expect([await statusOf(loud, 10), await statusOf(loud, 1), await statusOf(quiet, 1)]).toEqual([
      200, 429, 200,
    ]);
  });

  it('a client that is too slow with its headers, or with its body', async () => {
    const impatient = await openDeviceWorld({ requestTimeout: 300, headersTimeout: 200 });
    const line = 'POST /device/v1/attest HTTP/1.1\r\nhost: x\r\n';
    const type = 'content-type: application/cbor\r\ncontent-length: 100\r\n\r\n';
    for (const slow of [line, `${line}${type}abc`])
      expect(problemOfAnswer(await answerTo(slow, impatient))).toMatchObject({
        status: '408',
        code: 'RequestTimeout',
      });
    await impatient.close();
  });

  it('requests that Node itself would turn away without a word of ours', async () => {
    expect(problemOfAnswer(await answerTo('GET / HTTP/1.1\r\nconnection: close\r\n\r\n'))).toMatchObject({
      status: '400',
      code: 'InvalidRequest',
      field: 'host',
    });
    const tunnel = 'CONNECT inside.example:443 HTTP/1.1\r\nhost: x\r\n\r\n';
    expect(problemOfAnswer(await answerTo(tunnel))).toMatchObject({
      status: '405',
      code: 'MethodNotAllowed',
    });
  });

  it('what is not HTTP, or has headers without end', async () => {
    expect(problemOfAnswer(await answerTo('\x00\x01\x02 hello\r\n\r\n'))).toMatchObject({
      status: '400',
      code: 'InvalidRequest',
    });
    const long = `GET / HTTP/1.1\r\nx: ${'y'.repeat(9000)}\r\n\r\n`;
    expect(problemOfAnswer(await answerTo(long))).toMatchObject({ status: '431', code: 'HeadersTooLarge' });
  });
});

describe('the device port speaks', () => {
  it('TLS 1.3 and nothing older', async () => {
    expect(connection.socket.getProtocol()).toBe('TLSv1.3');
    const old = connect({
      port: world.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: world.rootPem,
      maxVersion: 'TLSv1.2',
    });
    await expect(once(old, 'secureConnect')).rejects.toMatchObject({
      code: expect.stringContaining('ALERT_PROTOCOL_VERSION'),
    });
  });

  it('under a certificate that leads to the service’s root alone', async () => {
    expect(connection.socket.authorized).toBe(true);
    const stranger = connect({ port: world.port, host: '127.0.0.1', servername: 'localhost' });
    await expect(once(stranger, 'secureConnect')).rejects.toThrow(/self.signed|issuer/iu);
  });
});

describe('more devices than can attest at once', () => {
  it('get an appointment each, and are let in when it is due', async () => {
    const busy = await openDeviceWorld({ attestations: { perSecond: 1 } });
    const { images } = await busy.publish('26.11.0');
    const devices = [await busy.makeDevice(), await busy.makeDevice(), await busy.makeDevice()];
    for (const device of devices) device.running = images;
    const [first, second, third] = devices;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three devices');
    expect((await busy.attest(first)).status).toBe(200);
    const told = await busy.attest(second);
    expect([problemIn(told).code, told.headers['retry-after']]).toEqual(['TooManyRequests', '5']);
    // Somebody who only knows its name gets no appointment, and takes none away.
    const impostor = await busy.attest(second, { signer: generateKeyPair() });
    expect(problemIn(impostor).code).toBe('InvalidEvidence');
    expect((await busy.attest(third)).headers['retry-after']).toBe('6');
    busy.service.clock.advance(6000);
    expect((await busy.attest(second)).status).toBe(200);
    expect((await busy.attest(third)).status).toBe(200);
    await busy.close();
  });
});

describe('more devices than can be told, heard or sent what they need at once', () => {
  it('get an appointment for each, and are let in when it is due', async () => {
    const busy = await openDeviceWorld({
      plans: { perSecond: 1 },
      deliveries: { perSecond: 1 },
      downloads: { perSecond: 1, goesOnFor: 60_000 },
    });
    const { images } = await busy.publish('26.11.0');
    const open = async () => {
      const device = await busy.makeDevice();
      device.running = images;
      return busy.connect((await busy.certify(device)).update);
    };
    const [first, second] = [await open(), await open()];
    const nonce = new Uint8Array(32).fill(3);
    const plan = encodePlanRequest({ nonce, images: [], osVersion: '26.11.0', failures: [] });
    const image = devicePathOfImage(images[0]?.imageId ?? '');
    const asks: readonly ((by: DeviceConnection) => Promise<DeviceResponse>)[] = [
      (by) => by.post(DEVICE_PATHS.plan, plan),
      (by) => by.post(DEVICE_PATHS.reports, encodeReportBatch({ reports: [failure(1)] })),
      (by) => by.request('GET', image),
    ];
    for (const ask of asks) {
      expect((await ask(first)).status).toBe(200);
      const told = await ask(second);
      expect([problemIn(told).code, told.headers['retry-after']]).toEqual(['TooManyRequests', '5']);
    }
    // A download that was begun goes on.
    expect((await first.request('GET', image, null, { range: 'bytes=0-9' })).status).toBe(206);
    busy.service.clock.advance(5000);
    for (const ask of asks) expect((await ask(second)).status).toBe(200);
    first.close();
    second.close();
    await busy.close();
  });
});

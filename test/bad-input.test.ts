import { ApiError, ROUTES } from '@sevenfold/api';
import {
  cborMap,
  decodeCbor,
  DEVICE_LIMITS,
  DEVICE_PATHS,
  encodeCbor,
  encodePlanRequest,
  encodeReportBatch,
  type ErrorReport,
} from '@sevenfold/formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDevice, refusalIn } from './bad-input/hostile-device.ts';
import { answerTo, codeIn } from './bad-input/raw-client.ts';
import { appPackage, newGuid, openWorld, type World } from './bad-input/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** The refusal of a call; a call that succeeds fails the test. */
async function refusalOf(call: Promise<unknown>): Promise<object> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof ApiError)) throw new Error('the call was not refused', { cause: outcome });
  const { status, code, field, rule } = outcome;
  return { status, code, field, rule };
}

/** The same bytes with one of them changed. */
const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, index) => (index === (at + bytes.length) % bytes.length ? byte ^ 0x01 : byte));

const REPORT: ErrorReport = {
  reportId: new Uint8Array(16).fill(7),
  kind: 'AppCrash',
  componentId: newGuid(),
  imageId: newGuid(),
  osVersion: '26.11.0',
  time: 1_790_000_000,
  uptime: 3000,
  trap: 'unreachable',
  exitCode: null,
  frames: [{ function: 1, offset: 2 }],
  log: ['a line'],
  count: 1,
};
const NONCE = new Uint8Array(32).fill(9);

describe('what is malformed gets its own error and changes nothing:', () => {
  const packages: Readonly<Record<string, readonly [() => Uint8Array, object]>> = {
    'no bytes at all': [() => new Uint8Array(), { code: 'ImageTooShort' }],
    zeros: [() => new Uint8Array(4096), { code: 'InvalidMetadata' }],
    'a package without its last byte': [() => appPackage().subarray(0, -1), { code: 'InvalidMetadata' }],
    'a package with a byte behind it': [
      () => Uint8Array.of(...appPackage(), 0),
      { code: expect.stringMatching(/^[A-Z]/) },
    ],
    'a file system with a flipped bit': [
      () => flipped(appPackage(), 4),
      { code: expect.stringMatching(/^[A-Z]/) },
    ],
    'a manifest that is no JSON': [
      () => appPackage({ manifest: '{"SchemaVersion": 1' }),
      { code: 'InvalidJson', rule: expect.any(String) },
    ],
    'a manifest that names a field twice': [
      () => appPackage({ manifest: '{"SchemaVersion": 1, "SchemaVersion": 1}' }),
      { code: 'DuplicateJsonKey' },
    ],
    'a manifest that is nested to the bottom': [
      () => appPackage({ manifest: '['.repeat(9000) + ']'.repeat(9000) }),
      { code: 'JsonTooDeep' },
    ],
    'a manifest of another schema': [
      () => appPackage({ manifest: { SchemaVersion: 2 } }),
      { code: 'IncompatibleSchemaVersion', field: 'SchemaVersion', rule: expect.any(String) },
    ],
    'a manifest without capabilities': [
      () => appPackage({ manifest: { Capabilities: undefined } }),
      { code: 'MissingCapabilitiesList', field: 'Capabilities' },
    ],
    'a manifest with a capability that there is not': [
      () => appPackage({ manifest: { Capabilities: { Everything: true } } }),
      { code: 'CustomerRequestedIllegalCapability', field: expect.stringContaining('Everything') },
    ],
    'a manifest whose program is not there': [
      () => appPackage({ manifest: { EntryPoint: '/bin/other' } }),
      { code: 'SpecifiedEntryPointDoesNotExist', field: 'EntryPoint' },
    ],
    'a manifest whose program is outside': [
      () => appPackage({ manifest: { EntryPoint: '/../../etc/passwd' } }),
      { code: expect.stringMatching(/EntryPoint/) },
    ],
    'a manifest of another component': [
      () => appPackage({ manifest: { ComponentId: newGuid() } }),
      { code: 'ImageNotDeployable', field: 'componentId' },
    ],
  };
  it.each(Object.keys(packages))('an image package that is %s', async (name) => {
    const [make, problem] = packages[name] ?? [() => new Uint8Array(), {}];
    const params = { tenantId: world.own.tenantId };
    const before = world.state();
    const refusal = await refusalOf(
      world.administrator.client.call(ROUTES.uploadImage, { params, body: make() }),
    );
    expect(refusal).toMatchObject({ status: 422, ...problem });
    expect(world.state()).toEqual(before);
  });

  /** A well-formed request with one of its fields another; keys as in docs/device-protocol.md. */
  const altered = (message: Uint8Array, change: Readonly<Record<number, unknown>>): Uint8Array => {
    const map = new Map(decodeCbor(message) as Map<number, never>);
    for (const [key, value] of Object.entries(change)) map.set(Number(key), value as never);
    return encodeCbor(map);
  };

  it('an attestation', async () => {
    const { device } = world.own;
    const send = async (change: (request: Uint8Array) => Uint8Array): Promise<object> => {
      using connection = await connectDevice(world.service);
      const { request } = device.attestation(connection.exporter());
      return refusalIn(await connection.send('POST', DEVICE_PATHS.attest, change(request)));
    };
    const cases: readonly (readonly [(request: Uint8Array) => Uint8Array, object])[] = [
      [() => new Uint8Array(), { status: 422, code: 'CborTruncated' }],
      [(request) => request.subarray(0, -1), { status: 422, code: 'CborTruncated' }],
      [(request) => Uint8Array.of(...request, 0), { status: 422, code: 'CborTrailingBytes' }],
      [() => Uint8Array.of(0xbf, 0xff), { status: 422, code: 'CborNotDeterministic' }],
      [() => new Uint8Array(30_000).fill(0x81), { status: 422, code: 'CborTooDeep' }],
      [(request) => altered(request, { 99: 1 }), { status: 422, code: 'UnknownField' }],
      [(request) => altered(request, { 1: 'token' }), { status: 422, code: 'WrongType', field: 'token' }],
      [(request) => altered(request, { 1: new Uint8Array(50) }), { status: 422, code: /^[A-Z]/ }],
      [(request) => altered(request, { 4: new Uint8Array(31) }), { code: 'WrongLength', field: 'nonce' }],
      [
        (request) => altered(request, { 2: cborMap({ spki: 1, proof: 2 }, { spki: NONCE, proof: NONCE }) }),
        { status: 422, code: 'WrongLength', field: 'clientKey.proof' },
      ],
    ];
    const before = world.state();
    for (const [change, problem] of cases) {
      const refusal = await send(change);
      const { code } = problem as { code: unknown };
      expect(refusal).toMatchObject(
        code instanceof RegExp ? { ...problem, code: expect.stringMatching(code) } : problem,
      );
    }
    expect(world.state()).toEqual(before);
  });

  it('a plan request', async () => {
    const good = encodePlanRequest({ nonce: NONCE, images: [], osVersion: '26.11.0', failures: [] });
    const present = (imageType: number): ReadonlyMap<number, unknown> =>
      new Map<number, unknown>([
        [1, imageType],
        [2, newGuid()],
        [3, newGuid()],
        [4, NONCE],
      ]);
    const cases: readonly (readonly [Uint8Array, object])[] = [
      [new Uint8Array(), { code: 'CborTruncated' }],
      [
        altered(good, { 1: new Uint8Array(31) }),
        { code: 'WrongLength', field: 'nonce', rule: expect.any(String) },
      ],
      [altered(good, { 2: [present(11)] }), { code: 'UnknownImageType', field: 'images.0.imageType' }],
      [altered(good, { 2: Array(65).fill(present(10)) }), { code: 'TooMany', field: 'images' }],
      [altered(good, { 3: 'x'.repeat(65) }), { code: 'TooLong', field: 'osVersion' }],
      [altered(good, { 4: ['x'.repeat(1025)] }), { code: 'TooLong', field: 'failures.0' }],
      [altered(good, { 5: 1 }), { code: 'UnknownField' }],
    ];
    const before = world.state();
    for (const [body, problem] of cases) {
      const answer = await world.own.device.send('POST', DEVICE_PATHS.plan, body);
      expect(refusalIn(answer)).toMatchObject({ status: 422, ...problem });
    }
    expect(world.state()).toEqual(before);
  });

  it('a batch of reports, of which one is wrong', async () => {
    const batch = (change: Readonly<Record<number, unknown>>): Uint8Array => {
      const good = encodeReportBatch({ reports: [{ ...REPORT, reportId: new Uint8Array(16) }, REPORT] });
      const reports = (decodeCbor(good) as Map<number, readonly Map<number, never>[]>).get(1) ?? [];
      const wrong = new Map(reports[1]);
      for (const [key, value] of Object.entries(change)) wrong.set(Number(key), value as never);
      return encodeCbor(new Map([[1, [reports[0] ?? null, wrong]]]));
    };
    const cases: readonly (readonly [Uint8Array, object])[] = [
      [batch({ 1: new Uint8Array(15) }), { code: 'WrongLength', field: 'reports.1.reportId' }],
      [batch({ 2: 'Boom' }), { code: 'ValueOutOfRange', field: 'reports.1.kind', rule: expect.any(String) }],
      [batch({ 3: '../../etc' }), { code: 'BadGuid', field: 'reports.1.componentId' }],
      [batch({ 9: 256 }), { code: 'ValueOutOfRange', field: 'reports.1.exitCode' }],
      [batch({ 11: Array(21).fill('x') }), { code: 'TooMany', field: 'reports.1.log' }],
      [batch({ 12: 0 }), { code: 'ValueOutOfRange', field: 'reports.1.count' }],
      [
        encodeReportBatch({ reports: Array.from({ length: 51 }, () => REPORT) }),
        { code: 'TooMany', field: 'reports' },
      ],
    ];
    const before = world.state();
    for (const [body, problem] of cases) {
      const answer = await world.own.device.send('POST', DEVICE_PATHS.reports, body);
      expect(refusalIn(answer)).toMatchObject({ status: 422, ...problem });
    }
    expect(world.state()).toEqual(before);
  });
});

describe('who is large is answered and let go:', () => {
  it('bodies over the limit, before they are read, and changes nothing', async () => {
    const before = world.state();
    const params = { tenantId: world.own.tenantId };
    const { client } = world.administrator;
    expect(
      await refusalOf(client.call(ROUTES.uploadImage, { params, body: new Uint8Array(1024 * 1024 + 1) })),
    ).toMatchObject({ status: 413, code: 'BodyTooLarge' });
    const { device } = world.own;
    const sizes: readonly (readonly [string, number])[] = [
      [DEVICE_PATHS.attest, DEVICE_LIMITS.attestRequest],
      [DEVICE_PATHS.plan, DEVICE_LIMITS.planRequest],
      [DEVICE_PATHS.reports, DEVICE_LIMITS.reportBatch],
    ];
    for (const [path, most] of sizes) {
      const answer = await device.send('POST', path, new Uint8Array(most + 1));
      expect([path, refusalIn(answer)]).toMatchObject([path, { status: 413, code: 'BodyTooLarge' }]);
    }
    // Without a length, the limit holds as the chunks come.
    const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
    const head = (path: string, type: string): string =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n`;
    const { peoplePort, devicePort } = world.service;
    const answers = [
      await answerTo(world.service, peoplePort, [
        head('/v1/access/enrol', 'application/json') + chunk + chunk + chunk,
      ]),
      await answerTo(world.service, devicePort, [
        head(DEVICE_PATHS.attest, 'application/cbor') + chunk + chunk,
      ]),
    ];
    const refused = { status: 413, code: 'BodyTooLarge' };
    expect(answers.map(codeIn)).toEqual([refused, refused]);
    expect(world.state()).toEqual(before);
  });

  it('headers over the limit', async () => {
    const request = `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`;
    const { peoplePort, devicePort } = world.service;
    for (const port of [peoplePort, devicePort]) {
      expect(codeIn(await answerTo(world.service, port, [request]))).toEqual({
        status: 431,
        code: 'HeadersTooLarge',
      });
    }
  });
});

describe('what nobody serves is said to be so:', () => {
  const paths = ['/', '/v2', '//v1/status', '/../v1/status', '/v1/%2e%2e/status', '/device/v2/plan'];
  it.each(paths)('%s, at both HTTP ports', async (path) => {
    const { peoplePort, devicePort } = world.service;
    for (const port of [peoplePort, devicePort]) {
      const answer = await answerTo(world.service, port, [
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      ]);
      expect(codeIn(answer)).toEqual({ status: 404, code: 'RouteNotFound' });
    }
  });

  it('other methods, CONNECT, requests without a host, and what is no HTTP', async () => {
    const { peoplePort, devicePort } = world.service;
    const cases: readonly (readonly [string, object])[] = [
      ['CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', { status: 405, code: 'MethodNotAllowed' }],
      ['GET / HTTP/1.1\r\nconnection: close\r\n\r\n', { status: 400, code: 'InvalidRequest' }],
      ['\u0016\u0003\u0001 hello\r\n\r\n', { status: 400, code: 'InvalidRequest' }],
      [
        'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
        { status: 400 },
      ],
    ];
    for (const [request, problem] of cases) {
      for (const port of [peoplePort, devicePort]) {
        expect(codeIn(await answerTo(world.service, port, [request]))).toMatchObject(problem);
      }
    }
    const other = (path: string): string => `DELETE ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    const refused = { status: 405, code: 'MethodNotAllowed' };
    expect(codeIn(await answerTo(world.service, peoplePort, [other('/v1/tenants')]))).toEqual(refused);
    expect(codeIn(await answerTo(world.service, devicePort, [other(DEVICE_PATHS.attest)]))).toEqual(refused);
  });

  it('HTTP at the broker', async () => {
    const request = ['GET / HTTP/1.1\r\nhost: x\r\n\r\n'];
    const answer = await answerTo(world.service, world.service.brokerPort, request, world.own.device.client);
    expect(answer.length).toBe(0);
  });
});

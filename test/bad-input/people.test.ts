import { createPrivateKey, createPublicKey } from 'node:crypto';
import { ALL_ROUTES, ApiError, ROUTES, type RequestSigner, type Route } from '@sevenfold/api';
import { encodeSymbolMap, toBase64Url, utf8Encode } from '@sevenfold/formats';
import { generateKeyPair, sha256, signWithPkcs8 } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appPackage, base64, newGuid, openWorld, type Household, type Person, type World } from './world.ts';

let world: World;
let mallory: Person;
beforeAll(async () => {
  world = await openWorld();
  // The most that anybody of another tenant can be.
  mallory = world.other.administrator;
});
afterAll(() => world.close());

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly problem: { readonly code?: string; readonly field?: string; readonly rule?: string };
}

/** One request, made by hand. */
async function send(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body: Uint8Array | null = null,
): Promise<Answer> {
  const url = world.service.peopleUrl + target;
  const { status, body: answered } = await world.transport({ method, url, headers, body });
  const text = new TextDecoder().decode(answered);
  return { status, text, problem: JSON.parse(text) as Answer['problem'] };
}

const now = (): number => Math.floor(Date.now() / 1000);
const encode = (value: object): string => toBase64Url(utf8Encode(JSON.stringify(value)));
const TARGET = '/v1/access/me';

interface Claims {
  readonly aud: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly exp: number;
  readonly bh: string;
}
const claimsFor = (method: string, target: string, body: Uint8Array | null): Claims => ({
  aud: world.service.peopleUrl,
  htm: method,
  htu: target,
  iat: now() - 5,
  exp: now() + 40,
  bh: toBase64Url(sha256(body ?? new Uint8Array())),
});

/** A token by hand: header, claims and who signs as the attacker likes. */
function forge(
  person: Person,
  claims: object,
  header: object = {},
  sign: (input: Uint8Array) => Uint8Array = (input) => signWithPkcs8(person.key.pkcs8, input),
): string {
  const input = `${encode({ alg: 'ES256', typ: 'JWT', kid: person.principalId, ...header })}.${encode(claims)}`;
  return `${input}.${toBase64Url(sign(utf8Encode(input)))}`;
}

/** A request to a route as `signer` may make it, whatever the route then says. */
async function callAs(
  signer: RequestSigner,
  method: string,
  target: string,
  body: Uint8Array | null = null,
  type = 'application/json',
): Promise<Answer> {
  const token = await signer(claimsFor(method, target, body));
  const content = body === null ? {} : { 'content-type': type };
  return send(method, target, { authorization: `Bearer ${token}`, ...content }, body);
}

describe('a request is nobody’s', () => {
  const good = (): Claims => claimsFor('GET', TARGET, null);
  const forgeries: Readonly<Record<string, () => string>> = {
    'with alg none': () => forge(mallory, good(), { alg: 'none' }, () => new Uint8Array(1)),
    'with alg none and no signature': () =>
      `${encode({ alg: 'none', kid: mallory.principalId })}.${encode(good())}.`,
    'with the public key as the secret of HS256': () => {
      const pem = createPublicKey(
        createPrivateKey({ key: Buffer.from(mallory.key.pkcs8), format: 'der', type: 'pkcs8' }),
      );
      const secret = pem.export({ type: 'spki', format: 'pem' });
      return forge(mallory, good(), { alg: 'HS256' }, (input) =>
        sha256(new Uint8Array([...utf8Encode(secret), ...input])),
      );
    },
    'with a key of its own in the header': () => {
      const { spki, pkcs8 } = generateKeyPair();
      const jwk = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({
        format: 'jwk',
      });
      return forge(world.administrator, good(), { jwk }, (input) => signWithPkcs8(pkcs8, input));
    },
    'in another’s name': () =>
      forge(world.administrator, good(), {}, (input) => signWithPkcs8(mallory.key.pkcs8, input)),
    'for another path': () => forge(mallory, { ...good(), htu: '/v1/tenants' }),
    'for the path with a query': () => forge(mallory, { ...good(), htu: `${TARGET}?x=1` }),
    'for another method': () => forge(mallory, { ...good(), htm: 'POST' }),
    'for another service': () => forge(mallory, { ...good(), aud: 'https://elsewhere.example' }),
    'for another body': () => forge(mallory, { ...good(), bh: toBase64Url(sha256(Uint8Array.of(1))) }),
    'that is over': () => forge(mallory, { ...good(), iat: now() - 200, exp: now() - 150 }),
    'that is for tomorrow': () => forge(mallory, { ...good(), iat: now() + 86_400, exp: now() + 86_430 }),
    'that would be good for a year': () => forge(mallory, { ...good(), exp: now() + 31_536_000 }),
    'with times that are no numbers': () => forge(mallory, { ...good(), exp: '9999999999', iat: 'now' }),
    'with a kid that is a path': () => forge(mallory, good(), { kid: '../../keys/root.1' }),
    'with a kid that is SQL': () => forge(mallory, good(), { kid: "' or '1'='1" }),
    'with a critical header': () => forge(mallory, good(), { crit: ['exp'], b64: false }),
  };
  it.each(Object.keys(forgeries))('%s', async (name) => {
    const token = forgeries[name]?.() ?? '';
    const { status, problem } = await send('GET', TARGET, { authorization: `Bearer ${token}` });
    expect({ status, ...problem }).toMatchObject({
      status: 401,
      code: 'Unauthenticated',
      rule: expect.any(String),
    });
  });

  it('is the caller’s when nothing of this is wrong', async () => {
    const { status } = await send('GET', TARGET, { authorization: `Bearer ${forge(mallory, good())}` });
    expect(status).toBe(200);
  });
});

/** The path of a route with the ids of a household. */
function pathOf(route: Route, tenantId: string, ids: Household): string {
  return route.path
    .replace('{tenantId}', tenantId)
    .replace('{deviceGroupId}', ids.deviceGroupId)
    .replace('{imageId}', ids.imageId)
    .replace('{deviceId}', ids.device.deviceId)
    .replace('{serial}', ids.serial)
    .replace('{groupId}', '0'.repeat(32))
    .replace('{name}', '26.11.0')
    .replaceAll(/\{\w+\}/g, 'ab');
}

function billOf(imageId: string): Uint8Array {
  const component = { type: 'application', name: 'stolen', version: imageId };
  return utf8Encode(JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component } }));
}

/** A body that the route would take from its owner. */
function bodyOf(route: Route, ids: Household): Uint8Array | null {
  if (route.body.kind === 'none') return null;
  if (route.body.kind === 'bytes') {
    if (route.name === 'uploadSymbols') return encodeSymbolMap({ functions: [], lines: [] });
    return route.name === 'uploadMaterials' ? billOf(ids.imageId) : appPackage();
  }
  const bodies: Readonly<Record<string, object>> = {
    createProduct: { name: 'Stolen' },
    createDeviceGroup: { productId: ids.productId, name: 'Stolen' },
    updateDeviceGroup: { name: 'Stolen', osFeed: 'RetailEval' },
    claimDevice: { deviceId: ids.device.deviceId, deviceGroupId: ids.deviceGroupId },
    updateDevice: { blocked: true },
    createDeviceCapability: { capabilities: [] },
    createDeployment: { imageIds: [ids.imageId] },
    markErrorGroupFixed: { imageId: ids.imageId },
    proveCertificate: { nonce: 'n' },
    revokeCertificate: { serial: ids.serial },
  };
  return utf8Encode(JSON.stringify(bodies[route.name] ?? {}));
}

const tenantRoutes = ALL_ROUTES.map(([, route]) => route).filter(({ path }) => path.includes('{tenantId}'));

describe('the Administrator of another tenant', () => {
  it.each(tenantRoutes.map((route) => [route.name, route] as const))(
    'is told by %s that there is no such tenant, and changes nothing',
    async (_, route) => {
      const before = world.state();
      const target = pathOf(route, world.own.tenantId, world.own);
      const type = route.body.kind === 'bytes' ? 'application/octet-stream' : 'application/json';
      const { status, problem } = await callAs(
        mallory.signer,
        route.method,
        target,
        bodyOf(route, world.own),
        type,
      );
      expect({ status, ...problem }).toMatchObject({ status: 404, code: 'NotFound', field: 'tenantId' });
      expect(world.state()).toEqual(before);
    },
  );

  // Those that name something inside of the tenant, in their path or body.
  const inner = tenantRoutes.filter(
    ({ path, name }) =>
      /\{tenantId\}.*\{/.test(path) || path.endsWith('/devices') || name === 'revokeCertificate',
  );
  it.each(inner.map((route) => [route.name, route] as const))(
    'finds nothing of the first tenant by %s through its own',
    async (_, route) => {
      const before = world.state();
      const target = pathOf(route, world.other.tenantId, world.own);
      const type = route.body.kind === 'bytes' ? 'application/octet-stream' : 'application/json';
      const { status, text, problem } = await callAs(
        mallory.signer,
        route.method,
        target,
        bodyOf(route, world.own),
        type,
      );
      if (route.method === 'GET' && status === 200) {
        expect(text).not.toContain(world.own.device.deviceId);
      } else {
        expect([404, 409]).toContain(status);
        expect(problem.code).toMatch(/^(?:NotFound|DeviceClaimedElsewhere)$/);
      }
      expect(world.state()).toEqual(before);
    },
  );

  it('cannot mix the ids of the two in a body', async () => {
    const before = world.state();
    const { own, other } = world;
    const params = { tenantId: other.tenantId };
    const calls = [
      mallory.client.call(ROUTES.createDeviceGroup, {
        params,
        body: { productId: own.productId, name: 'Mine' },
      }),
      mallory.client.call(ROUTES.createDeployment, {
        params: { ...params, deviceGroupId: other.deviceGroupId },
        body: { imageIds: [own.imageId] },
      }),
      mallory.client.call(ROUTES.updateDevice, {
        params: { ...params, deviceId: other.device.deviceId },
        body: { deviceGroupId: own.deviceGroupId },
      }),
      mallory.client.call(ROUTES.claimDevice, {
        params,
        body: { deviceId: other.device.deviceId, deviceGroupId: own.deviceGroupId },
      }),
      mallory.client.call(ROUTES.invite, { body: { role: 'Administrator', tenantId: own.tenantId } }),
      mallory.client.call(ROUTES.invite, { body: { role: 'Reader', tenantId: null } }),
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome.status === 'rejected' ? outcome.reason : outcome).toMatchObject({ code: 'NotFound' });
    }
    const sameId = appPackage({ imageId: own.imageId, code: 'mine' });
    await expect(mallory.client.call(ROUTES.uploadImage, { params, body: sameId })).rejects.toMatchObject({
      code: 'ImageConflict',
    });
    expect(world.state()).toEqual(before);
  });

  it('sees principals, tenants and the trail of its own tenant alone', async () => {
    const [tenants, principals, trail] = [
      await mallory.client.call(ROUTES.tenants),
      await mallory.client.call(ROUTES.principals),
      await mallory.client.call(ROUTES.audit),
    ];
    const seen = [...tenants.items, ...principals.items, ...trail.items].map(({ tenantId }) => tenantId);
    expect(new Set(seen)).toEqual(new Set([world.other.tenantId]));
  });
});

describe('a Reader', () => {
  it('changes nothing by any route', async () => {
    const reader = await world.person('Reader', world.own.tenantId);
    const before = world.state();
    for (const [, route] of ALL_ROUTES) {
      if (route.method === 'GET' || route.permission === 'public') continue;
      const target = pathOf(route, world.own.tenantId, world.own);
      const { status, problem } = await callAs(reader.signer, route.method, target, bodyOf(route, world.own));
      expect([route.name, status, problem.code]).toEqual([route.name, 403, 'Forbidden']);
    }
    expect(world.state()).toEqual(before);
  });
});

describe('a one-time token', () => {
  it('makes one principal, however many ask with it at once', async () => {
    const { token } = await world.administrator.client.call(ROUTES.invite, {
      body: { role: 'Administrator', tenantId: null },
    });
    world.secrets.push(token);
    const attempts = await Promise.all(
      Array.from({ length: 8 }, () => {
        const body = { token, name: 'Twin', publicKey: base64(generateKeyPair().spki) };
        const headers = { 'content-type': 'application/json' };
        return send('POST', '/v1/access/enrol', headers, utf8Encode(JSON.stringify(body)));
      }),
    );
    expect(attempts.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
      201,
      ...Array<number>(7).fill(403),
    ]);
    const { items } = await world.administrator.client.call(ROUTES.principals, { query: { limit: 500 } });
    expect(items.filter(({ name }) => name === 'Twin')).toHaveLength(1);
  });
});

describe('odd input', () => {
  const json = { 'content-type': 'application/json' };
  it('of every kind is refused by name, without a word about the inside', async () => {
    const before = world.state();
    const { signer } = world.administrator;
    const tenants = `/v1/tenants`;
    const sql = `'); drop table principals; --`;
    const answers: Answer[] = [
      await send('POST', '/v1/access/enrol', json, utf8Encode('['.repeat(60_000))),
      await send('POST', '/v1/access/enrol', json, utf8Encode(`${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`)),
      await send('POST', '/v1/access/enrol', json, utf8Encode('{"__proto__":{"token":"x"}}')),
      await send('POST', '/v1/access/enrol', json, Uint8Array.of(0xff, 0xfe, 0x7b)),
      await send('POST', '/v1/access/enrol', { 'content-type': 'application/json\t;x' }, utf8Encode('null')),
      await callAs(signer, 'POST', tenants, utf8Encode(JSON.stringify({ name: sql }))),
      await callAs(signer, 'POST', tenants, utf8Encode(JSON.stringify({ name: 'a\r\nset-cookie: b' }))),
      await callAs(signer, 'POST', tenants, utf8Encode(JSON.stringify({ name: '../../etc' }))),
      await callAs(signer, 'POST', tenants, utf8Encode(JSON.stringify({ name: { toString: 'x' } }))),
      await callAs(signer, 'GET', `${tenants}/${encodeURIComponent(sql)}`),
      await callAs(signer, 'GET', `${tenants}/%0d%0aset-cookie:%20a=b`),
      await callAs(signer, 'GET', `${tenants}?limit=1e9`),
      await callAs(signer, 'GET', `${tenants}?limit=10&limit=20`),
      await callAs(signer, 'GET', `${tenants}?after=${'a'.repeat(300)}`),
      await callAs(signer, 'GET', `${tenants}?constructor=1`),
      await callAs(signer, 'GET', `${tenants}/${'a'.repeat(5000)}`),
      await callAs(
        signer,
        'POST',
        `/v1/os-releases/${encodeURIComponent('../x')}/revoke`,
        utf8Encode('{"reason":"x"}'),
      ),
    ];
    for (const { status, text, problem } of answers) {
      expect([text, status >= 400 && status < 500, problem.code]).toEqual([
        text,
        true,
        expect.stringMatching(/^[A-Z]/),
      ]);
      // No stack, no path, no SQL, no library by its name.
      expect(text).not.toMatch(
        /\bat [\w.<>]+ \(|node:|node_modules|\/packages\/|\.ts\b|sqlite|zod|fastify|ERR_|FST_/i,
      );
    }
    expect(world.state()).toEqual(before);
  });

  it('that is a position in a list is taken as text and nothing else', async () => {
    const { client } = world.administrator;
    const after = `' union select * from principals --`;
    expect((await client.call(ROUTES.tenants, { query: { after } })).items).toHaveLength(2);
    await expect(client.call(ROUTES.osReleases, { query: { after } })).rejects.toBeInstanceOf(ApiError);
  });
});

describe('the log of all this', () => {
  it('holds no token, no key, no header, and no failure of our own', async () => {
    await send('GET', '/v1/tenants', {
      authorization: `Bearer ${forge(mallory, claimsFor('GET', '/v1/tenants', null))}`,
    });
    await send(
      'POST',
      '/v1/access/enrol',
      { 'content-type': 'application/json' },
      utf8Encode(JSON.stringify({ token: 'B'.repeat(43), name: newGuid(), publicKey: 'AAAA' })),
    );
    const log = world.log();
    expect(log.length).toBeGreaterThan(1000);
    for (const secret of [...world.secrets, 'B'.repeat(43)]) expect(log).not.toContain(secret);
    expect(log).not.toMatch(/Bearer|eyJ[A-Za-z0-9_-]{10}|PRIVATE KEY|authorization/i);
    const lines = log
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; status?: number });
    expect(lines.filter(({ level, status = 0 }) => level === 'error' || status >= 500)).toEqual([]);
  });
});

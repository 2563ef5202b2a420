import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ApiError, createClient, ROUTES } from '@sevenfold/api';
import { toBase64Url, utf8Encode } from '@sevenfold/formats';
import { sha256 } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestPeople, type TestPeople, type TestPerson } from '../test-people.ts';
import { createLog } from './log.ts';

describe('the port for people', () => {
  let people: TestPeople;
  let admin: TestPerson;
  beforeEach(async () => {
    people = await startTestPeople();
    admin = await people.person('Administrator', null);
  });
  afterEach(() => people.close());

  const raw = async (
    method: string,
    target: string,
    headers: Record<string, string> = {},
    body: string | null = null,
  ) => {
    const response = await people.transport({
      method,
      url: people.baseUrl + target,
      headers,
      body: body === null ? null : utf8Encode(body),
    });
    const problem: Record<string, unknown> = JSON.parse(new TextDecoder().decode(response.body));
    return { status: response.status, contentType: response.contentType, problem };
  };
  const refusalOf = async (call: Promise<unknown>): Promise<ApiError> => {
    const error = await call.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!(error instanceof ApiError)) throw new Error('the call was not refused', { cause: error });
    return error;
  };

  it('says that it is up, and serves its contract', async () => {
    const anybody = createClient({ baseUrl: people.baseUrl, transport: people.transport, signer: null });
    expect(await anybody.call(ROUTES.status)).toMatchObject({ service: 'sevenfold', status: 'ready' });
    expect(await anybody.call(ROUTES.openApi)).toMatchObject({ openapi: '3.1.1' });
  });

  it('names field and rule of what it refuses', async () => {
    const error = await refusalOf(admin.client.call(ROUTES.createTenant, { body: { name: ' ' } }));
    expect(error).toMatchObject({ status: 400, code: 'InvalidRequest', field: 'name' });
    expect(error.rule).toContain('1 to 50 letters');
    expect(await admin.client.call(ROUTES.tenants)).toEqual({ items: [], next: null });
  });

  it('refuses unknown fields, paths and queries by name', async () => {
    const body = { name: 'Contoso', colour: 'red' };
    expect(await refusalOf(admin.client.call(ROUTES.createTenant, { body }))).toMatchObject({
      field: 'colour',
    });
    const params = { tenantId: 'CONTOSO' };
    expect(await refusalOf(admin.client.call(ROUTES.tenant, { params }))).toMatchObject({
      field: 'tenantId',
      status: 400,
    });
    const query = { limit: 0 };
    expect(await refusalOf(admin.client.call(ROUTES.tenants, { query }))).toMatchObject({
      field: 'limit',
      status: 400,
    });
  });

  it('knows nothing of a tenant that is not there, and makes nothing for it', async () => {
    const params = { tenantId: '00000000-0000-4000-8000-000000000000' };
    const calls = [
      admin.client.call(ROUTES.tenant, { params }),
      admin.client.call(ROUTES.certificates, { params }),
      admin.client.call(ROUTES.products, { params }),
      admin.client.call(ROUTES.devices, { params }),
      admin.client.call(ROUTES.createProduct, { params, body: { name: 'Oven' } }),
    ];
    for (const error of await Promise.all(calls.map(refusalOf))) {
      expect(error).toMatchObject({ status: 404, code: 'NotFound', field: 'tenantId' });
    }
    expect(await people.service.keys.public(`tenant-ca.${params.tenantId}.1`)).toBeNull();
  });

  it('answers an unknown route, a wrong method and an odd URL with a problem', async () => {
    const unknown = await raw('GET', '/v2/tenants');
    expect(unknown).toMatchObject({ status: 404, problem: { code: 'RouteNotFound', status: 404 } });
    expect(unknown.contentType).toContain('application/problem+json');
    expect(await raw('DELETE', '/v1/tenants')).toMatchObject({
      status: 405,
      problem: { code: 'MethodNotAllowed', rule: 'GET, POST' },
    });
    expect(await raw('GET', '/v1/%zz')).toMatchObject({ status: 400, problem: { code: 'InvalidRequest' } });
    // Whose fault it is decides whether the log raises an alarm.
    expect(await raw('GET', `/v1/tenants/${'a'.repeat(3000)}`)).toMatchObject({
      status: 400,
      problem: { code: 'InvalidRequest' },
    });
  });

  it('answers malformed JSON, other content types and bodies over the limit', async () => {
    const json = { 'content-type': 'application/json' };
    expect(await raw('POST', '/v1/access/enrol', json, '{"token":')).toMatchObject({
      status: 400,
      problem: { code: 'MalformedJson' },
    });
    expect(await raw('POST', '/v1/access/enrol', { 'content-type': 'text/plain' }, 'hello')).toMatchObject({
      status: 415,
      problem: { code: 'UnsupportedMediaType', rule: 'application/json' },
    });
    expect(await raw('POST', '/v1/access/enrol', json, `{"token":"${'x'.repeat(70_000)}"}`)).toMatchObject({
      status: 413,
      problem: { code: 'BodyTooLarge' },
    });
  });

  it('refuses a body that is not the one that was signed', async () => {
    const client = createClient({
      baseUrl: people.baseUrl,
      transport: (request) => people.transport({ ...request, body: utf8Encode('{"name":"Mallory"}') }),
      signer: admin.signer,
      now: () => people.service.clock.now(),
    });
    const error = await refusalOf(client.call(ROUTES.createTenant, { body: { name: 'Contoso' } }));
    expect(error).toMatchObject({ status: 401, code: 'Unauthenticated', field: 'bh' });
    expect((await admin.client.call(ROUTES.tenants)).items).toEqual([]);
  });

  it('makes a change once for a token, and lets reading go on', async () => {
    const send = async (method: string, target: string, jti: string, body: string | null) => {
      const iat = Math.floor(people.service.clock.now() / 1000);
      const bh = toBase64Url(sha256(utf8Encode(body ?? '')));
      const claims = { aud: people.baseUrl, htm: method, htu: target, iat, exp: iat + 30, bh, jti };
      const token = tokens.get(jti) ?? (await admin.signer(claims));
      tokens.set(jti, token);
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      return raw(method, target, headers, body);
    };
    const tokens = new Map<string, string>();
    const invitation = '{"role":"Administrator","tenantId":null}';
    const target = '/v1/access/invitations';
    expect(await send('POST', target, 'a', invitation)).toMatchObject({ status: 201 });
    const replayed = { status: 401, problem: { code: 'Unauthenticated', field: 'jti' } };
    expect(await send('POST', target, 'a', invitation)).toMatchObject(replayed);
    expect(await send('POST', target, 'b', invitation)).toMatchObject({ status: 201 });
    for (let count = 0; count < 2; count++) {
      expect(await send('GET', '/v1/access/me', 'c', null)).toMatchObject({ status: 200 });
    }
    // Past its end it is refused for that; what is remembered of it is forgotten.
    people.service.clock.advance(70_000);
    expect(await send('POST', target, 'a', invitation)).toMatchObject({
      status: 401,
      problem: { field: 'exp' },
    });
    expect(await send('POST', target, 'd', invitation)).toMatchObject({ status: 201 });
  });

  it('asks for a signature before it looks at anything else', async () => {
    const answer = await raw('POST', '/v1/tenants', { 'content-type': 'text/plain' }, 'x'.repeat(100_000));
    expect(answer).toMatchObject({ status: 401, problem: { code: 'Unauthenticated' } });
  });

  it('slows down whoever keeps guessing, and lets others in', async () => {
    await people.close();
    people = await startTestPeople({ refusals: { burst: 3, perSecond: 0.5 } });
    const statuses: number[] = [];
    for (let count = 0; count < 5; count++) statuses.push((await raw('GET', '/v1/tenants')).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    people.service.clock.advance(2000);
    expect((await raw('GET', '/v1/tenants')).status).toBe(401);
  });

  it('leaves a line of audit for every change that was asked for, and none for reading', async () => {
    await admin.client.call(ROUTES.createTenant, { body: { name: 'Contoso' } });
    people.service.clock.advance(5);
    await refusalOf(admin.client.call(ROUTES.createTenant, { body: { name: 'contoso' } }));
    await admin.client.call(ROUTES.tenants);
    const { items } = await admin.client.call(ROUTES.audit);
    expect(items.map(({ operation, outcome, principalId }) => ({ operation, outcome, principalId }))).toEqual(
      [
        { operation: 'createTenant', outcome: 'AlreadyExists', principalId: admin.principalId },
        { operation: 'createTenant', outcome: 'done', principalId: admin.principalId },
      ],
    );
  });

  it('pages through long lists', async () => {
    const made: string[] = [];
    for (const name of ['One', 'Two', 'Three', 'Four', 'Five']) {
      made.push((await admin.client.call(ROUTES.createTenant, { body: { name } })).tenantId);
    }
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await admin.client.call(ROUTES.tenants, { query: { limit: 2, after } });
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map((tenant) => tenant.tenantId));
      after = page.next ?? undefined;
    } while (after !== undefined);
    expect(seen).toEqual(made.sort());
  });

  it('answers a client that is too slow with its headers or its body', async () => {
    await people.close();
    people = await startTestPeople({ headersTimeout: 300, requestTimeout: 600 });
    expect(await answerTo(people, 'GET /v1/sta')).toContain('408 Request Timeout');
    const slowBody =
      'POST /v1/access/enrol HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{';
    const answer = await answerTo(people, slowBody);
    expect(answer).toContain('408 Request Timeout');
    expect(answer).toContain('"code":"RequestTimeout"');
  });

  it('answers what is not HTTP, and headers over the limit', async () => {
    expect(await answerTo(people, 'hello\r\n\r\n')).toContain('400 Bad Request');
    expect(await answerTo(people, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toContain(
      '431 ',
    );
  });

  it('answers requests that Node itself would turn away without a word of ours', async () => {
    const noHost = await answerTo(people, 'GET /v1/status HTTP/1.1\r\nconnection: close\r\n\r\n');
    expect(noHost).toContain('400 Bad Request');
    expect(noHost).toContain('"field":"host"');
    const expecting = 'GET /v1/status HTTP/1.1\r\nhost: x\r\nexpect: wonders\r\nconnection: close\r\n\r\n';
    expect(await answerTo(people, expecting)).toContain('"status":"ready"');
    const tunnel = await answerTo(people, 'CONNECT inside.example:443 HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(tunnel).toContain('405 Method Not Allowed');
    expect(tunnel).toContain('"code":"MethodNotAllowed"');
  });

  it('speaks TLS alone', async () => {
    const socket = connectTcp(people.port, '127.0.0.1');
    socket.write('GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString('latin1')).not.toContain('HTTP/1.1 200');
  });
});

describe('the log', () => {
  it('is JSON lines with ids, and repeats no error to the client that was not meant for it', () => {
    const lines: string[] = [];
    const log = createLog({ write: (line) => lines.push(line) }, { now: () => 0 });
    log.error({ requestId: 'r1' }, 'a request failed', new Error('disk on fire'));
    const line: Record<string, unknown> = JSON.parse(lines[0] ?? '');
    expect(line).toMatchObject({
      level: 'error',
      requestId: 'r1',
      time: '1970-01-01T00:00:00.000Z',
      msg: 'a request failed',
    });
    expect(line['err']).toMatchObject({ message: 'disk on fire' });
  });
});

/** Sends bytes as they are and reads until the server hangs up. */
async function answerTo(people: TestPeople, text: string): Promise<string> {
  const socket: TLSSocket = connectTls({ port: people.port, host: '127.0.0.1', ca: people.tlsRootPem });
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

import { fromBase64Url, utf8Decode, utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { createClient, type HttpRequest, type HttpResponse } from './client.ts';
import { ApiError } from './errors.ts';
import { createRequestSigner, type RequestClaims } from './request-signer.ts';
import { ROUTES } from './routes.ts';

const TENANT = '6f1b0d6e-0000-4000-8000-000000000001';
const NOW = Date.UTC(2026, 10, 1);

/** A client whose wire is in sight: what it sent, and what it is answered. */
function clientWith(answer: { readonly status?: number; readonly body: unknown }) {
  const sent: HttpRequest[] = [];
  const claims: RequestClaims[] = [];
  const client = createClient({
    baseUrl: 'https://service.example:8443/ignored',
    now: () => NOW,
    signer: (one) => {
      claims.push(one);
      return Promise.resolve('signed');
    },
    transport: (request) => {
      sent.push(request);
      const body = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
      const response: HttpResponse = {
        status: answer.status ?? 200,
        contentType: '',
        body: utf8Encode(body),
      };
      return Promise.resolve(response);
    },
  });
  return { client, sent, claims };
}

const problemOf = async (call: Promise<unknown>): Promise<ApiError> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error('no ApiError', { cause: error });
  return error;
};

describe('the typed client', () => {
  it('signs each request for its method, its path with query, and its body', async () => {
    const { client, sent, claims } = clientWith({ body: { items: [], next: null } });
    await client.call(ROUTES.devices, { params: { tenantId: TENANT }, query: { limit: 5, after: 'a b&c' } });
    const htu = `/v1/tenants/${TENANT}/devices?limit=5&after=a+b%26c`;
    expect(sent[0]).toMatchObject({
      method: 'GET',
      url: `https://service.example:8443${htu}`,
      headers: { authorization: 'Bearer signed' },
      body: null,
    });
    const iat = NOW / 1000 - 10;
    expect(claims).toEqual([
      {
        aud: 'https://service.example:8443',
        htm: 'GET',
        htu,
        iat,
        exp: iat + 45,
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
        bh: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
      },
    ]);
  });

  it('sends JSON and bytes as what they are, and nothing signed to public routes', async () => {
    const reply = { principalId: TENANT, role: 'Reader', tenantId: null };
    const { client, sent } = clientWith({ status: 201, body: reply });
    const body = { token: 'A'.repeat(43), name: 'Ada', publicKey: 'AAAA' };
    expect(await client.call(ROUTES.enrol, { body })).toEqual(reply);
    expect(sent[0]?.headers).toEqual({ accept: 'application/json', 'content-type': 'application/json' });
    expect(JSON.parse(utf8Decode(sent[0]?.body ?? new Uint8Array()))).toEqual(body);
    const upload = clientWith({ status: 409, body: {} });
    await problemOf(upload.client.call(ROUTES.uploadOsImage, { body: Uint8Array.of(1, 2) }));
    expect(upload.sent[0]).toMatchObject({
      headers: { 'content-type': 'application/octet-stream' },
      body: Uint8Array.of(1, 2),
    });
  });

  it('hands on the service’s problem', async () => {
    const problem = {
      type: 't',
      title: 'Conflict',
      status: 409,
      detail: 'There is a tenant already.',
      code: 'AlreadyExists',
      field: 'name',
      rule: 'unique',
    };
    const { client } = clientWith({ status: 409, body: problem });
    const error = await problemOf(client.call(ROUTES.createTenant, { body: { name: 'Contoso' } }));
    expect(error).toMatchObject({ status: 409, code: 'AlreadyExists', field: 'name', rule: 'unique' });
    expect(error.message).toBe('There is a tenant already.');
  });

  it.each([
    ['no JSON', { body: '<html>' }],
    ['a reply that is not as agreed', { body: { items: [{ tenantId: 1 }], next: null } }],
    ['a refusal that is no problem', { status: 502, body: { message: 'bad gateway' } }],
  ])('believes no answer that is %s', async (_, answer) => {
    const error = await problemOf(clientWith(answer).client.call(ROUTES.tenants));
    expect(error).toMatchObject({ code: 'InvalidReply', status: 0, problem: null });
  });

  it('says when nobody answers', async () => {
    const client = createClient({
      baseUrl: 'https://service.example',
      signer: null,
      transport: () => Promise.reject(new Error('connection refused')),
    });
    const error = await problemOf(client.call(ROUTES.status));
    expect(error).toMatchObject({ code: 'Unreachable', status: 0 });
    expect(error.message).toContain('connection refused');
  });

  it('keeps a path parameter inside of its segment', async () => {
    const { client, sent } = clientWith({ status: 404, body: {} });
    const params = { name: '../../v1/tenants?x=1' };
    await problemOf(client.call(ROUTES.revokeOsRelease, { params, body: { reason: 'x' } }));
    expect(sent[0]?.url).toBe(
      'https://service.example:8443/v1/os-releases/..%2F..%2Fv1%2Ftenants%3Fx%3D1/revoke',
    );
  });
});

describe('the request signer', () => {
  it('makes a compact JWS over exactly the claims', async () => {
    const messages: Uint8Array[] = [];
    const signer = createRequestSigner(TENANT, (message) => {
      messages.push(message);
      return Promise.resolve(new Uint8Array(64).fill(7));
    });
    const claims = { aud: 'a', htm: 'GET', htu: '/', iat: 1, exp: 2, bh: 'x' };
    const [header = '', payload = '', signature = ''] = (await signer(claims)).split('.');
    expect(JSON.parse(utf8Decode(fromBase64Url(header)))).toEqual({ alg: 'ES256', typ: 'JWT', kid: TENANT });
    expect(JSON.parse(utf8Decode(fromBase64Url(payload)))).toEqual(claims);
    expect(fromBase64Url(signature)).toEqual(new Uint8Array(64).fill(7));
    expect(utf8Decode(messages[0] ?? new Uint8Array())).toBe(`${header}.${payload}`);
  });
});

import { createPrivateKey } from 'node:crypto';
import { generateKeyPair, sha256 } from '@sevenfold/pki';
import { createRequestSigner, type RequestClaims } from '@sevenfold/api';
import { toBase64Url } from '@sevenfold/formats';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestService, type TestService } from '../test-service.ts';
import { enrol, ensureFirstAdministratorToken } from './enrol.ts';
import { authenticateRequest } from './request-token.ts';

const AUDIENCE = 'https://127.0.0.1:1';
const TARGET = '/v1/tenants?limit=5';

describe('a signed request', () => {
  let service: TestService;
  let principalId: string;
  let pkcs8: Uint8Array;
  let claims: RequestClaims;
  beforeEach(async () => {
    service = await openTestService();
    const pair = generateKeyPair();
    ({ pkcs8 } = pair);
    const token = (await ensureFirstAdministratorToken(service)) ?? '';
    ({ principalId } = await enrol(service, { token, name: 'Ada', spki: pair.spki }));
    const iat = Math.floor(service.clock.now() / 1000);
    const bh = toBase64Url(sha256(new Uint8Array()));
    claims = { aud: AUDIENCE, htm: 'GET', htu: TARGET, iat, exp: iat + 60, bh };
  });
  afterEach(() => service.close());

  const key = (bytes: Uint8Array) =>
    createPrivateKey({ key: Buffer.from(bytes), format: 'der', type: 'pkcs8' });
  const sign = (
    changes: Partial<RequestClaims> = {},
    header: { readonly [name: string]: unknown } = {},
    by = pkcs8,
  ) =>
    new SignJWT({ ...claims, ...changes })
      .setProtectedHeader({ alg: 'ES256', kid: principalId, ...header })
      .sign(key(by), { crit: { x: false } });
  const authenticate = (token: string) =>
    authenticateRequest(service, [AUDIENCE], {
      authorization: `Bearer ${token}`,
      method: 'GET',
      target: TARGET,
    });

  it('is its principal’s', async () => {
    const { principal, bodyHash } = await authenticate(await sign());
    expect(principal).toMatchObject({ principalId, name: 'Ada', role: 'Administrator', tenantId: null });
    expect(bodyHash).toBe(claims.bh);
  });

  it('may be made by the client’s own signer', async () => {
    const { signWithPkcs8 } = await import('@sevenfold/pki');
    const signer = createRequestSigner(principalId, (message) =>
      Promise.resolve(signWithPkcs8(pkcs8, message)),
    );
    expect((await authenticate(await signer(claims))).principal.principalId).toBe(principalId);
  });

  const attacks: Readonly<Record<string, () => Promise<string> | string>> = {
    'no key of ours': () => sign({}, { kid: '00000000-0000-4000-8000-000000000000' }),
    'no key named': () => sign({}, { kid: undefined }),
    'a key that is no id': () => sign({}, { kid: '../../etc/passwd' }),
    'another key': () => sign({}, {}, generateKeyPair().pkcs8),
    'alg none': () => new UnsecuredJWT({ ...claims }).encode() + 'AA',
    'alg none with our kid': () => `${encode({ alg: 'none', kid: principalId })}.${encode(claims)}.AA`,
    'the public key as an HMAC secret': () =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'HS256', kid: principalId })
        .sign(new Uint8Array(91)),
    'another service': () => sign({ aud: 'https://other.example' }),
    'another method': () => sign({ htm: 'POST' }),
    'another path': () => sign({ htu: '/v1/tenants' }),
    'a token that is over': () => sign({ iat: claims.iat - 200, exp: claims.iat - 140 }),
    'a token for later': () => sign({ iat: claims.iat + 600, exp: claims.iat + 630 }),
    'a token that lives too long': () => sign({ exp: claims.iat + 61 }),
    'a token that ends before it begins': () => sign({ iat: claims.exp + 10 }),
    'no end': () => sign({ exp: undefined as unknown as number }),
    'no body hash': () => sign({ bh: undefined as unknown as string }),
    'an unknown critical header': () => sign({}, { crit: ['x'], x: 1 }),
    'no token at all': () => 'a.b',
    'a huge token': () => sign({ bh: 'x'.repeat(5000) }),
  };
  it.each(Object.keys(attacks))('is refused with %s', async (name) => {
    const token = (await attacks[name]?.()) ?? '';
    await expect(authenticate(token)).rejects.toMatchObject({
      code: 'Unauthenticated',
      rule: expect.any(String),
    });
  });

  it('is refused with a bit of its signature or its claims changed', async () => {
    const token = await sign();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const other = encode({ ...claims, htu: '/v1/tenants?limit=6' });
    await expect(authenticate(`${header}.${other}.${signature}`)).rejects.toMatchObject({
      code: 'Unauthenticated',
    });
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
    await expect(authenticate(`${header}.${payload}.${flipped}`)).rejects.toMatchObject({
      code: 'Unauthenticated',
    });
  });

  it('is refused without the header, and when the scheme is another', async () => {
    const request = { method: 'GET', target: TARGET };
    await expect(
      authenticateRequest(service, [AUDIENCE], { ...request, authorization: undefined }),
    ).rejects.toMatchObject({
      code: 'Unauthenticated',
      field: 'authorization',
    });
    await expect(
      authenticateRequest(service, [AUDIENCE], { ...request, authorization: 'Basic YTpi' }),
    ).rejects.toMatchObject({ code: 'Unauthenticated' });
  });
});

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

import { der } from '@sevenfold/formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { encodeCertificateBag, parseCertificateBag } from './certificate-bag.ts';
import { generateKeyPair, signWithPkcs8, type KeyCurve } from './keys.ts';
import { fromPem, toPem } from './pem.ts';
import { parsePkcs8 } from './private-key.ts';
import { encodeSigningRequest, parseSigningRequest } from './signing-request.ts';
import { makeAuthorities, type Authorities } from './testing/authorities.fixture.ts';
import { findJudge, TestFolder } from './testing/judges.fixture.ts';

const folder = new TestFolder('containers');
afterAll(() => folder.dispose());
const openssl = findJudge('openssl', 'requests, chains and keys as OpenSSL reads and writes them');

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'crashed';
  }
};

/** Every byte changed, every length: none may be read as if nothing had happened, and none may crash. */
function acceptedMutations(bytes: Uint8Array, read: (untrusted: Uint8Array) => unknown): number[] {
  const accepted: number[] = [];
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = bytes.slice();
    changed[index] = (changed[index] ?? 0) ^ (1 << ((index * 5) % 8));
    if (codeOf(() => read(changed)) === 'accepted') accepted.push(index);
    expect(codeOf(() => read(bytes.subarray(0, index)))).not.toMatch(/accepted|crashed/u);
  }
  return accepted;
}

async function makeRequest(curve: KeyCurve): Promise<{ request: Uint8Array; spki: Uint8Array }> {
  const { spki, pkcs8 } = generateKeyPair(curve);
  const sign = async (message: Uint8Array): Promise<Uint8Array> => signWithPkcs8(pkcs8, message);
  return { request: await encodeSigningRequest([['CN', 'Sevenfold intermediate']], spki, sign), spki };
}

describe('a signing request', () => {
  it.each<KeyCurve>(['P-256', 'P-384'])('on %s comes back as it was written', async (curve) => {
    const { request, spki } = await makeRequest(curve);
    const read = parseSigningRequest(request);
    expect(read.spki).toEqual(spki);
    expect(read.subject.attributes).toEqual([{ type: 'CN', value: 'Sevenfold intermediate' }]);
    expect(codeOf(() => parseSigningRequest(request, [curve === 'P-256' ? 'P-384' : 'P-256']))).toBe(
      'BadKey',
    );
  });

  it('is refused when any byte of it was changed', async () => {
    expect(acceptedMutations((await makeRequest('P-256')).request, parseSigningRequest)).toEqual([]);
  });

  it('is refused when somebody else signed it', async () => {
    const { spki } = generateKeyPair();
    const other = generateKeyPair();
    const request = await encodeSigningRequest([['CN', 'x']], spki, async (message) =>
      signWithPkcs8(other.pkcs8, message),
    );
    expect(codeOf(() => parseSigningRequest(request))).toBe('BadSignature');
  });

  it('is refused when it is too large to be looked at', () => {
    expect(codeOf(() => parseSigningRequest(new Uint8Array(8193)))).toBe('BadSigningRequest');
  });

  it.runIf(openssl)('is verified by OpenSSL, and one of OpenSSL is read here', async () => {
    for (const [curve, name] of [
      ['P-256', 'prime256v1'],
      ['P-384', 'secp384r1'],
    ] as const) {
      const ours = folder.write('our.csr', toPem('CERTIFICATE REQUEST', (await makeRequest(curve)).request));
      const judgement = openssl?.run(['req', '-verify', '-noout', '-in', ours]);
      expect(judgement?.said).toMatch(/verify OK/u);
      const key = folder.write('their.key', '');
      folder.prepare(openssl?.program ?? '', 'genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${name}`, '-out', key); // prettier-ignore
      const digest = curve === 'P-256' ? '-sha256' : '-sha384';
      const pem = folder.prepare(openssl?.program ?? '', 'req', '-new', digest, '-key', key, '-subj', '/O=Acme/CN=theirs', '-addext', 'subjectAltName=DNS:example.com'); // prettier-ignore
      const [untrusted] = fromPem('CERTIFICATE REQUEST', pem);
      const read = parseSigningRequest(untrusted ?? new Uint8Array());
      expect(read.subject.attributes.map(({ value }) => value)).toEqual(['Acme', 'theirs']);
    }
  });
});

describe('a certificate bag', () => {
  let all: Authorities;
  let bag: Uint8Array;
  beforeAll(async () => {
    all = await makeAuthorities();
    bag = encodeCertificateBag([all.tenantCa, all.intermediate, all.root].map((one) => one.certificate.der));
  });

  it('holds what was put into it', () => {
    const serials = parseCertificateBag(bag).map(({ serial }) => serial);
    const expected = [all.tenantCa, all.intermediate, all.root].map((one) => one.certificate.serial);
    expect(serials.toSorted()).toEqual(expected.toSorted());
  });

  it('never crashes whichever byte was changed, and proves nothing', () => {
    // A changed signature or key makes another certificate: `verifyChain` is for that.
    const accepted = acceptedMutations(bag, parseCertificateBag);
    expect(accepted.length).toBeLessThan(bag.length);
  });

  it.each<[string, () => Uint8Array, string]>([
    ['nothing', () => bag.subarray(0, 0), 'DerTruncated'],
    ['a zero behind it', () => Uint8Array.of(...bag, 0), 'DerTrailingBytes'],
    ['65 KiB', () => new Uint8Array(65 * 1024), 'BadCertificateBag'],
    ['another content', () => der.sequence(der.oid('1.2.840.113549.1.7.3')), 'BadCertificateBag'],
  ])('is refused when it is %s', (_what, make, code) => {
    expect(codeOf(() => parseCertificateBag(make()))).toBe(code);
  });

  it('holds one to sixteen certificates', () => {
    const { der: one } = all.root.certificate;
    expect(codeOf(() => encodeCertificateBag([]))).toBe('BadCertificateBag');
    expect(codeOf(() => encodeCertificateBag(Array.from({ length: 17 }, () => one)))).toBe(
      'BadCertificateBag',
    );
  });

  it.runIf(openssl)('is read by OpenSSL, and one of OpenSSL is read here', () => {
    const ours = folder.write('our.p7b', bag);
    const listed = openssl?.run(['pkcs7', '-inform', 'DER', '-in', ours, '-print_certs', '-noout']);
    expect(listed?.said.match(/subject=/gu)).toHaveLength(3);
    const chain = folder.write('chain.pem', toPem('CERTIFICATE', all.tenantCa.certificate.der, all.root.certificate.der)); // prettier-ignore
    const theirs = folder.write('their.p7b', '');
    folder.prepare(openssl?.program ?? '', 'crl2pkcs7', '-nocrl', '-certfile', chain, '-outform', 'DER', '-out', theirs); // prettier-ignore
    const pem = folder.prepare(openssl?.program ?? '', 'crl2pkcs7', '-nocrl', '-certfile', chain);
    expect(parseCertificateBag(fromPem('PKCS7', pem)[0] ?? new Uint8Array())).toHaveLength(2);
  });
});

describe('a private key in PKCS#8', () => {
  it.each<KeyCurve>(['P-256', 'P-384'])('on %s is read with its public key', (curve) => {
    const { spki, pkcs8 } = generateKeyPair(curve);
    expect(parsePkcs8(pkcs8)).toMatchObject({ curve, spki });
  });

  it('is refused when any byte of it was changed', () => {
    const { pkcs8 } = generateKeyPair();
    expect(acceptedMutations(pkcs8, parsePkcs8)).toEqual([]);
  });

  it('is refused when it is of another kind', () => {
    const ed25519 = der.sequence(
      der.integer(0),
      der.sequence(der.oid('1.3.101.112')),
      der.octetString(new Uint8Array(34)),
    );
    expect(codeOf(() => parsePkcs8(ed25519))).toBe('BadKey');
    expect(codeOf(() => parsePkcs8(new Uint8Array(513)))).toBe('BadKey');
  });

  it.runIf(openssl)('is read as OpenSSL writes it', () => {
    for (const name of ['prime256v1', 'secp384r1']) {
      const pem = folder.prepare(openssl?.program ?? '', 'genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${name}`); // prettier-ignore
      expect(codeOf(() => parsePkcs8(fromPem('PRIVATE KEY', pem)[0] ?? new Uint8Array()))).toBe('accepted');
    }
  });
});

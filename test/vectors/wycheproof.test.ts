import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  verify,
  type webcrypto,
} from 'node:crypto';
import { signatureFromDer, fromHex, equalBytes } from '@sevenfold/formats';
import { verifySignature } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { verifyP256 } from '../../packages/silicon/src/engines.ts';
import { hasVectors, vectorJson, vectorNames } from './folder.ts';

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly [field: string]: unknown;
}
interface Group {
  readonly tests: readonly Case[];
  readonly [field: string]: unknown;
}

/** What a check says to a case: true is "accepted" or "computed the same". */
type Check = (test: Case, group: Group) => boolean;

const hex = (thing: Case | Group, field: string): Uint8Array => {
  const text = thing[field];
  return fromHex(typeof text === 'string' ? text : '');
};
const number = (thing: Case | Group, field: string): number => Number(thing[field]);

/** OpenSSL throws for what it will not do at all; to whoever asks, that is a refusal. */
function refusedIfThrown(work: () => boolean): boolean {
  try {
    return work();
  } catch {
    return false;
  }
}

/** A signature in DER, as X.509 has it: read strictly, then verified raw. */
const derSignature: Check = (test, group) =>
  refusedIfThrown(() =>
    verifySignature(hex(group, 'publicKeyDer'), hex(test, 'msg'), signatureFromDer(hex(test, 'sig'))),
  );

function openGcm(test: Case, group: Group): boolean {
  const tag = hex(test, 'tag');
  const name = `aes-${number(group, 'keySize')}-gcm` as 'aes-128-gcm';
  const decipher = createDecipheriv(name, hex(test, 'key'), hex(test, 'iv'), { authTagLength: tag.length });
  decipher.setAAD(hex(test, 'aad'));
  decipher.setAuthTag(tag);
  const opened = Buffer.concat([decipher.update(hex(test, 'ct')), decipher.final()]);
  return equalBytes(new Uint8Array(opened), hex(test, 'msg'));
}

/** RFC 3394 both ways: what is wrapped must come out the same, and a forged one must not unwrap. */
function keyWrap(test: Case, group: Group): boolean {
  const name = `id-aes${number(group, 'keySize')}-wrap`;
  const iv = Buffer.alloc(8, 0xa6);
  const unwrapper = createDecipheriv(name, hex(test, 'key'), iv);
  const unwrapped = Buffer.concat([unwrapper.update(hex(test, 'ct')), unwrapper.final()]);
  const wrapper = createCipheriv(name, hex(test, 'key'), iv);
  const wrapped = Buffer.concat([wrapper.update(hex(test, 'msg')), wrapper.final()]);
  return (
    equalBytes(new Uint8Array(unwrapped), hex(test, 'msg')) &&
    equalBytes(new Uint8Array(wrapped), hex(test, 'ct'))
  );
}

function keyAgreement(test: Case): boolean {
  const publicKey = createPublicKey({ key: test['public'] as webcrypto.JsonWebKey, format: 'jwk' });
  const privateKey = createPrivateKey({ key: test['private'] as webcrypto.JsonWebKey, format: 'jwk' });
  return equalBytes(new Uint8Array(diffieHellman({ publicKey, privateKey })), hex(test, 'shared'));
}

function derivation(test: Case): boolean {
  const size = number(test, 'size');
  const derived = hkdfSync('sha256', hex(test, 'ikm'), hex(test, 'salt'), hex(test, 'info'), size);
  return equalBytes(new Uint8Array(derived), hex(test, 'okm'));
}

function mac(test: Case, group: Group): boolean {
  const whole = new Uint8Array(createHmac('sha256', hex(test, 'key')).update(hex(test, 'msg')).digest());
  return equalBytes(whole.subarray(0, number(group, 'tagSize') / 8), hex(test, 'tag'));
}

const PRIMITIVES: Readonly<Record<string, { readonly by: string; readonly checks: readonly Check[] }>> = {
  'ecdsa_secp256r1_sha256_p1363_test.json': {
    by: 'pki verifySignature, silicon verifyP256',
    checks: [
      (test, group) =>
        verifySignature(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig'), 'ES256'),
      (test, group) => verifyP256(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig')),
    ],
  },
  'ecdsa_secp384r1_sha384_p1363_test.json': {
    by: 'pki verifySignature',
    checks: [
      (test, group) =>
        verifySignature(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig'), 'ES384'),
    ],
  },
  'ecdsa_secp256r1_sha256_test.json': {
    by: 'formats signatureFromDer, pki verifySignature',
    checks: [derSignature],
  },
  'rsa_signature_2048_sha256_test.json': {
    by: 'OpenSSL through Node (TLS alone uses it)',
    checks: [
      (test, group) =>
        verify(
          'sha256',
          hex(test, 'msg'),
          createPublicKey({ key: Buffer.from(hex(group, 'publicKeyDer')), format: 'der', type: 'spki' }),
          hex(test, 'sig'),
        ),
    ],
  },
  'hmac_sha256_test.json': { by: 'OpenSSL through Node', checks: [mac] },
  'hkdf_sha256_test.json': { by: 'OpenSSL through Node', checks: [derivation] },
  'aes_gcm_test.json': { by: 'OpenSSL through Node', checks: [openGcm] },
  'aes_wrap_test.json': { by: 'OpenSSL through Node', checks: [keyWrap] },
  'ecdh_secp256r1_webcrypto_test.json': { by: 'OpenSSL through Node', checks: [keyAgreement] },
};
/** Where OpenSSL judges otherwise, and why that harms nobody here: neither is used by this project itself. */
const DIFFERENCES: Readonly<Record<string, { readonly cases: readonly number[]; readonly why: string }>> = {
  'aes_gcm_test.json': {
    cases: [268, 272, 276],
    why: 'OpenSSL takes no nonce longer than 1024 bits: it refuses, it does not compute wrongly',
  },
  'aes_wrap_test.json': {
    cases: [22, 64, 119],
    why: 'of an empty input Node computes nothing at all, where RFC 3394 wants a refusal',
  },
};
/** Files of algorithms that nothing here uses yet. */
const NOT_USED = ['mldsa_65_verify_test.json'];

describe.skipIf(!hasVectors)('Wycheproof', () => {
  it('has no file that is silently left out', () => {
    const known = [...Object.keys(PRIMITIVES), ...NOT_USED].toSorted();
    expect(vectorNames('wycheproof')).toEqual(known);
    console.log(`Wycheproof: not used here, not run: ${NOT_USED.join(', ')}`);
  });

  it.each(Object.entries(PRIMITIVES))('%s: every case is judged as it should be', (name, { by, checks }) => {
    const { testGroups } = vectorJson('wycheproof', name) as { testGroups: readonly Group[] };
    const counts = { valid: 0, invalid: 0, acceptable: 0 };
    const different = DIFFERENCES[name];
    const wrong: string[] = [];
    const seen: number[] = [];
    for (const group of testGroups) {
      for (const test of group.tests) {
        counts[test.result] += 1;
        for (const check of checks) {
          const accepted = refusedIfThrown(() => check(test, group));
          const isRight = test.result === 'acceptable' || accepted === (test.result === 'valid');
          if (isRight) continue;
          if (different?.cases.includes(test.tcId) === true) seen.push(test.tcId);
          else wrong.push(`${test.tcId} ${test.comment} ${test.flags.join()}: ${accepted}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toEqual(different?.cases ?? []);
    expect(counts.valid).toBeGreaterThan(0);
    const { valid, invalid, acceptable } = counts;
    const apart = different === undefined ? '' : `, of these ${seen.length} otherwise: ${different.why}`;
    console.log(
      `Wycheproof ${name}: ${valid} valid, ${invalid} invalid, ${acceptable} acceptable, 0 wrong${apart} (${by})`,
    );
  });
});

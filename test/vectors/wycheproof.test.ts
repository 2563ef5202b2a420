import { createPrivateKey, createPublicKey, type webcrypto } from 'node:crypto';
import { concatBytes, equalBytes, fromHex, signatureFromDer } from '@sevenfold/formats';
import { verifyRsa, verifySignature } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import {
  gcmOpen,
  gcmSeal,
  hkdfSha256,
  hmacSha256,
  keyUnwrap,
  keyWrap,
} from '../../packages/silicon/src/engines-symmetric.ts';
import { verifyP256Digest } from '../../packages/silicon/src/ecdsa-digest.ts';
import { agreeP256, sha256, verifyMlDsa65, verifyP256 } from '../../packages/silicon/src/engines.ts';
import { verifyRsa2048 } from '../../packages/silicon/src/engines-rsa.ts';
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

/** The engine that images are verified with, which is given the digest. */
const overDigest = (test: Case, group: Group, signature: Uint8Array): boolean =>
  verifyP256Digest(hex(group, 'publicKeyDer'), sha256(hex(test, 'msg')), signature);

/** The engine has AES-256, nonces of 96 bits and whole tags; every other case must be refused by its port. */
function openGcm(test: Case): boolean {
  const parameters = { key: hex(test, 'key'), nonce: hex(test, 'iv'), associated: hex(test, 'aad') };
  const sealed = concatBytes(hex(test, 'ct'), hex(test, 'tag'));
  return (
    equalBytes(gcmOpen(parameters, sealed), hex(test, 'msg')) &&
    equalBytes(gcmSeal(parameters, hex(test, 'msg')), sealed)
  );
}

/** RFC 3394 both ways: what is wrapped must come out the same, and a forged one must not unwrap. */
function wrap(test: Case): boolean {
  const key = hex(test, 'key');
  return (
    equalBytes(keyUnwrap(key, hex(test, 'ct')), hex(test, 'msg')) &&
    equalBytes(keyWrap(key, hex(test, 'msg')), hex(test, 'ct'))
  );
}

function keyAgreement(test: Case): boolean {
  const publicKey = createPublicKey({ key: test['public'] as webcrypto.JsonWebKey, format: 'jwk' });
  const privateKey = createPrivateKey({ key: test['private'] as webcrypto.JsonWebKey, format: 'jwk' });
  const spki = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }));
  return equalBytes(agreeP256({ privateKey }, spki), hex(test, 'shared'));
}

function derivation(test: Case): boolean {
  const derived = hkdfSha256(hex(test, 'ikm'), hex(test, 'salt'), hex(test, 'info'), number(test, 'size'));
  return equalBytes(derived, hex(test, 'okm'));
}

function mac(test: Case, group: Group): boolean {
  const whole = hmacSha256(hex(test, 'key'), hex(test, 'msg'));
  return equalBytes(whole.subarray(0, number(group, 'tagSize') / 8), hex(test, 'tag'));
}

/** sha256WithRSAEncryption, as certificates name it. */
const SHA256_WITH_RSA = '1.2.840.113549.1.1.11';

/** Chains of foreign chips: an exponent of 3 is refused there by decision, whatever was signed with it. */
const foreignRsa: Check = (test, group) => {
  const isAccepted = refusedIfThrown(() =>
    verifyRsa(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig'), SHA256_WITH_RSA),
  );
  return test.flags.includes('SmallPublicKey') ? !isAccepted : isAccepted;
};

/** What the engines have no mode for: not judged by them, counted apart. */
const NO_MODE: Readonly<Record<string, (test: Case, group: Group) => boolean>> = {
  'aes_gcm_test.json': (_test, group) =>
    number(group, 'keySize') !== 256 || number(group, 'ivSize') !== 96 || number(group, 'tagSize') !== 128,
  'aes_wrap_test.json': (_test, group) => number(group, 'keySize') !== 256,
  // Images are signed with an empty context (docs/image-package.md).
  'mldsa_65_verify_test.json': (test) => hex(test, 'ctx').length > 0,
};

const PRIMITIVES: Readonly<Record<string, { readonly by: string; readonly checks: readonly Check[] }>> = {
  'ecdsa_secp256r1_sha256_p1363_test.json': {
    by: 'pki verifySignature, silicon verifyP256 and verifyP256Digest',
    checks: [
      (test, group) =>
        verifySignature(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig'), 'ES256'),
      (test, group) => verifyP256(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig')),
      (test, group) => overDigest(test, group, hex(test, 'sig')),
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
    by: 'formats signatureFromDer, pki verifySignature, silicon verifyP256Digest',
    checks: [derSignature, (test, group) => overDigest(test, group, signatureFromDer(hex(test, 'sig')))],
  },
  'rsa_signature_2048_sha256_test.json': {
    by: 'Pluton’s RSA engine, pki verifyRsa',
    checks: [
      (test, group) => verifyRsa2048(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig')),
      foreignRsa,
    ],
  },
  'hmac_sha256_test.json': { by: 'Pluton’s HMAC engine', checks: [mac] },
  'hkdf_sha256_test.json': { by: 'Pluton’s HKDF engine', checks: [derivation] },
  'aes_gcm_test.json': { by: 'Pluton’s AES-256-GCM engine', checks: [openGcm] },
  'aes_wrap_test.json': { by: 'Pluton’s AES-256 key wrap engine', checks: [wrap] },
  'ecdh_secp256r1_webcrypto_test.json': { by: 'Pluton’s ECDH engine', checks: [keyAgreement] },
  'mldsa_65_verify_test.json': {
    by: 'silicon verifyMlDsa65',
    checks: [(test, group) => verifyMlDsa65(hex(group, 'publicKeyDer'), hex(test, 'msg'), hex(test, 'sig'))],
  },
};

describe.skipIf(!hasVectors)('Wycheproof', () => {
  it('has no file that is silently left out', () => {
    expect(vectorNames('wycheproof')).toEqual(Object.keys(PRIMITIVES).toSorted());
  });

  it.each(Object.entries(PRIMITIVES))('%s: every case is judged as it should be', (name, { by, checks }) => {
    const { testGroups } = vectorJson('wycheproof', name) as { testGroups: readonly Group[] };
    const counts = { valid: 0, invalid: 0, acceptable: 0 };
    const wrong: string[] = [];
    let apart = 0;
    for (const group of testGroups) {
      for (const test of group.tests) {
        if (NO_MODE[name]?.(test, group) === true) {
          apart += 1;
          continue;
        }
        counts[test.result] += 1;
        for (const check of checks) {
          const accepted = refusedIfThrown(() => check(test, group));
          const isRight = test.result === 'acceptable' || accepted === (test.result === 'valid');
          if (!isRight) wrong.push(`${test.tcId} ${test.comment} ${test.flags.join()}: ${accepted}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(counts.valid).toBeGreaterThan(0);
    const { valid, invalid, acceptable } = counts;
    const left = apart === 0 ? '' : `, ${apart} of other sizes or with contexts, which it has not`;
    console.log(
      `Wycheproof ${name}: ${valid} valid, ${invalid} invalid, ${acceptable} acceptable, 0 wrong${left} (${by})`,
    );
  });
});

import { generateKeyPairSync, sign } from 'node:crypto';
import { encodePsaClaims, encodeSign1, PSA_PROFILES, toHex, type CoseAlgorithm } from '@sevenfold/formats';
import { sha256 } from '@sevenfold/pki';
import { evidenceFormatSuite, type Attesting } from './evidence-format.suite.ts';
import { PSA_EVIDENCE } from './psa.ts';

const KEYS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
} as const;
const HASHES = { ES256: 'sha256', ES384: 'sha384', EdDSA: null } as const;

function makeChip(algorithm: CoseAlgorithm): Attesting {
  const { publicKey, privateKey } = KEYS[algorithm]();
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  const instanceId = Uint8Array.of(1, ...sha256(spki));
  return {
    spki,
    evidenceName: toHex(instanceId),
    evidence(challenge) {
      const payload = encodePsaClaims({
        profile: PSA_PROFILES[0],
        nonce: challenge,
        instanceId,
        implementationId: new Uint8Array(32),
        clientId: -1,
        securityLifecycle: 0x3000,
        softwareComponents: [
          { measurementType: 'Services', measurementValue: sha256(spki), signerId: new Uint8Array(32) },
        ],
      });
      const token = encodeSign1({ algorithm, payload });
      const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
      return token.finish(new Uint8Array(sign(HASHES[algorithm], token.toBeSigned, key)));
    },
  };
}

for (const algorithm of ['ES256', 'ES384', 'EdDSA'] as const)
  evidenceFormatSuite(PSA_EVIDENCE, () => makeChip(algorithm));

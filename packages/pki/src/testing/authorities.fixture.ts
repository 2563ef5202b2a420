import type { Entropy } from '@sevenfold/formats';

import type { Certificate } from '../certificate.ts';
import { issueAndParse, type CertificateIssuer, type CertificateRequest } from '../issue.ts';
import { generateKeyPair, sha256, signWithPkcs8, type KeyCurve, type KeyPair } from '../keys.ts';
import type { ProfileName } from '../profiles.ts';

/** 2026-11-22T12:00:00Z. */
export const NOW = Date.UTC(2026, 10, 22, 12);

/** Entropy that is the same for the same seed. */
function seededEntropy(seed: string): Entropy {
  let counter = 0;
  return {
    random(length) {
      const bytes = new Uint8Array(length);
      for (let offset = 0; offset < length; offset += 32) {
        counter += 1;
        bytes.set(
          sha256(new TextEncoder().encode(`${seed} ${counter}`)).subarray(0, length - offset),
          offset,
        );
      }
      return bytes;
    },
  };
}

/** A certificate with its key. */
export interface Identity {
  readonly certificate: Certificate;
  readonly key: KeyPair;
  readonly issuer: CertificateIssuer;
}

const entropy = seededEntropy('authorities');

/** Issues a certificate of `profile` below `parent` (null: its own root). */
export async function makeIdentity(
  profile: ProfileName,
  name: string,
  parent: Identity | null,
  more: Partial<CertificateRequest> & { readonly curve?: KeyCurve } = {},
): Promise<Identity> {
  const { curve, ...request } = more;
  const key = generateKeyPair(curve);
  const sign = async (message: Uint8Array): Promise<Uint8Array> => signWithPkcs8(key.pkcs8, message);
  const certificate = await issueAndParse(
    profile,
    { subject: [['CN', name]], publicKey: key.spki, now: NOW, entropy, ...request },
    parent?.issuer ?? { certificate: null, sign },
  );
  return { certificate, key, issuer: { certificate, sign } };
}

/** Root, intermediate, a tenant's CA, the update CA, and a device of that tenant. */
export interface Authorities {
  readonly root: Identity;
  readonly intermediate: Identity;
  readonly tenantCa: Identity;
  readonly updateCa: Identity;
  readonly device: Identity;
  readonly update: Identity;
}

const DEVICE_ID = '5e'.repeat(32);
/** What the fixture's device certificates say. */
export const ATTESTED = {
  verdict: 'trusted',
  release: '26.11.0',
  evidenceDigest: new Uint8Array(32).fill(7),
} as const;

/** Makes all of them; root and intermediate on `curve`. `now`: for judges that have no clock but the machine's. */
export async function makeAuthorities(
  options: { readonly curve?: KeyCurve; readonly now?: number } = {},
): Promise<Authorities> {
  const { curve = 'P-256', now = NOW } = options;
  const root = await makeIdentity('root', 'Test root', null, { curve, now });
  const intermediate = await makeIdentity('intermediate', 'Test intermediate', root, { curve, now });
  const tenantCa = await makeIdentity('tenantCa', 'Test tenant', intermediate, { now });
  const updateCa = await makeIdentity('updateCa', 'Test updates', intermediate, { now });
  const device = await makeIdentity('device', DEVICE_ID, tenantCa, { attestation: ATTESTED, now });
  const update = await makeIdentity('update', DEVICE_ID, updateCa, { attestation: ATTESTED, now });
  return { root, intermediate, tenantCa, updateCa, device, update };
}

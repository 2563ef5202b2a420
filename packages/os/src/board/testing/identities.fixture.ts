import {
  generateKeyPair,
  issueAndParse,
  sha256,
  signWithPkcs8,
  type Certificate,
  type CertificateIssuer,
  type CertificateRequest,
  type KeyPair,
  type ProfileName,
} from '@sevenfold/pki';

/** A certificate with its key. */
export interface Identity {
  readonly certificate: Certificate;
  readonly key: KeyPair;
  readonly issuer: CertificateIssuer;
}

let drawn = 0;
const entropy = {
  random: (length: number): Uint8Array =>
    sha256(new TextEncoder().encode(`identity ${drawn++}`)).subarray(0, length),
};
/** What a device's certificate says of it. */
const ATTESTED = {
  verdict: 'trusted',
  release: '26.11.0',
  evidenceDigest: new Uint8Array(32).fill(7),
} as const;

/** Issues a certificate of `profile` below `parent` (null: its own root) at `now`. */
export async function makeIdentity(
  profile: ProfileName,
  name: string,
  parent: Identity | null,
  more: Pick<CertificateRequest, 'now'> & Partial<CertificateRequest>,
): Promise<Identity> {
  const key = generateKeyPair();
  const sign = async (message: Uint8Array): Promise<Uint8Array> => signWithPkcs8(key.pkcs8, message);
  const isDevice = profile === 'device' || profile === 'update';
  const certificate = await issueAndParse(
    profile,
    {
      subject: [['CN', name]],
      publicKey: key.spki,
      entropy,
      ...(isDevice ? { attestation: ATTESTED } : {}),
      ...more,
    },
    parent?.issuer ?? { certificate: null, sign },
  );
  return { certificate, key, issuer: { certificate, sign } };
}

/** Root and what stands under it: a tenant's CA, the update CA, and a device with a certificate of each. */
export interface Authorities {
  readonly intermediate: Identity;
  readonly tenantCa: Identity;
  readonly updateCa: Identity;
  readonly device: Identity;
  readonly update: Identity;
}

/** Makes them all. */
export async function makeAuthorities({ now }: { readonly now: number }): Promise<Authorities> {
  const id = '5e'.repeat(32);
  const root = await makeIdentity('root', 'Test root', null, { now });
  const intermediate = await makeIdentity('intermediate', 'Test intermediate', root, { now });
  const tenantCa = await makeIdentity('tenantCa', 'Test tenant', intermediate, { now });
  const updateCa = await makeIdentity('updateCa', 'Test updates', intermediate, { now });
  return {
    intermediate,
    tenantCa,
    updateCa,
    device: await makeIdentity('device', id, tenantCa, { now }),
    update: await makeIdentity('update', id, updateCa, { now }),
  };
}

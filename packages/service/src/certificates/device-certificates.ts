import {
  LeafIssuer,
  parseCertificate,
  verifyChain,
  commonName,
  type AttestationData,
  type Certificate,
  type PublicKey,
} from '@sevenfold/pki';

import { ServiceError } from '../service-error.ts';
import type { Authority, CertificateAuthorities, CertificatesContext } from './authorities.ts';

/** A certificate that was issued, with what a relying party may need beside it. */
export interface IssuedCertificate {
  /** As `parseCertificate` reads it. */
  readonly serial: string;
  /** Read when it is asked for. */
  readonly certificate: Certificate;
  /** DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
}

/** What a device's certificate is issued for. */
export interface DeviceSubject {
  /** 64 hex digits: the common name. */
  readonly deviceId: string;
  /** The key that is certified. */
  readonly publicKey: PublicKey;
  readonly attestation: AttestationData;
}

/** What issuing stands on. */
export type IssuingContext = Pick<CertificatesContext, 'clock' | 'entropy'> & {
  readonly authorities: CertificateAuthorities;
};

/** The 24-hour certificate with which a trusted device speaks to anybody who knows its tenant's CA. */
export async function issueClientCertificate(
  context: IssuingContext,
  tenantId: string,
  subject: DeviceSubject,
): Promise<IssuedCertificate> {
  return issue(context, 'device', await context.authorities.issuing('tenantCa', tenantId), subject);
}

/** The certificate with which any genuine device asks for its updates, and nothing else. */
export async function issueUpdateCertificate(
  context: IssuingContext,
  subject: DeviceSubject,
): Promise<IssuedCertificate> {
  return issue(context, 'update', await context.authorities.issuing('updateCa', null), subject);
}

/** The id of the device whose update certificate this is; refuses every other one with `UpdateCertificateRequired`. */
export async function deviceOfUpdateCertificate(
  context: Pick<IssuingContext, 'clock' | 'authorities'>,
  untrusted: Uint8Array | null,
): Promise<string> {
  if (untrusted === null) throw updateCertificateRequired('no certificate was shown');
  const anchors = await context.authorities.valid('updateCa', null);
  let leaf: Certificate;
  try {
    leaf = parseCertificate(untrusted);
    verifyChain({
      leaf,
      intermediates: [],
      roots: anchors.map((anchor) => anchor.certificate),
      now: context.clock.now(),
      purpose: 'clientAuth',
    });
  } catch (cause) {
    throw updateCertificateRequired(cause instanceof Error ? cause.message : 'it is refused', cause);
  }
  const deviceId = commonName(leaf.subject);
  if (deviceId === null || leaf.attestation === null) throw updateCertificateRequired('it names no device');
  return deviceId;
}

async function issue(
  context: IssuingContext,
  profile: 'device' | 'update',
  authority: Authority,
  subject: DeviceSubject,
): Promise<IssuedCertificate> {
  const { authorities, clock, entropy } = context;
  const { deviceId, publicKey, attestation } = subject;
  const { issuer, above } = issuing.get(authority) ?? (await prepare(authorities, authority, profile));
  const leaf = await issuer.issue({ deviceId, publicKey, attestation, now: clock.now(), entropy });
  return {
    serial: leaf.serial,
    get certificate() {
      return parseCertificate(leaf.der);
    },
    chain: [leaf.der, ...above],
  };
}

/** What an authority issues with, and what it sends along: its own certificate and those above, without the root. */
interface Issuing {
  readonly issuer: LeafIssuer;
  readonly above: readonly Uint8Array[];
}

/** One for each authority that issues now: an authority that was read again has another one. */
const issuing = new WeakMap<Authority, Issuing>();

async function prepare(
  authorities: CertificateAuthorities,
  authority: Authority,
  profile: 'device' | 'update',
): Promise<Issuing> {
  const { certificate } = authority;
  const made = {
    issuer: new LeafIssuer(profile, { ...authorities.issuerOf(authority), certificate }),
    above: (await authorities.chainOf(authority)).slice(0, -1).map((one) => one.der),
  };
  issuing.set(authority, made);
  return made;
}

function updateCertificateRequired(why: string, cause?: unknown): ServiceError {
  return new ServiceError('UpdateCertificateRequired', `This needs the device’s update certificate: ${why}`, {
    field: 'client certificate',
    rule: 'issued by the update CA of this service, valid now',
    cause,
  });
}

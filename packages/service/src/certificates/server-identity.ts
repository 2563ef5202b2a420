import { generateKeyPair, issueAndParse, toPem } from '@sevenfold/pki';

import type { IssuingContext } from './device-certificates.ts';

/** What a TLS server of this service presents. */
export interface ServerIdentity {
  /** Certificates, leaf first, without the root. */
  readonly certificatePem: string;
  /** PKCS#8. It lives in the memory of this process only. */
  readonly keyPem: string;
  /** From when on a new identity should be made; ms since 1970. */
  readonly renewAt: number;
  /** Serial of the intermediate that has issued it: when another one issues, a new identity should be made as well. */
  readonly issuerSerial: string;
}

/** A fresh key and a server certificate for these hosts, for as long as this process runs, or two thirds of a year. */
export async function makeServerIdentity(
  context: IssuingContext,
  hostNames: readonly [string, ...string[]],
): Promise<ServerIdentity> {
  const { authorities, clock, entropy } = context;
  const { spki, pkcs8 } = generateKeyPair();
  const issuer = await authorities.issuing('intermediate', null);
  const now = clock.now();
  const certificate = await issueAndParse(
    'tlsServer',
    { subject: [['CN', hostNames[0]]], publicKey: spki, now, entropy, hostNames },
    authorities.issuerOf(issuer),
  );
  return {
    certificatePem: toPem('CERTIFICATE', certificate.der, issuer.certificate.der),
    keyPem: toPem('PRIVATE KEY', pkcs8),
    issuerSerial: issuer.certificate.serial,
    renewAt: now + ((certificate.notAfter - now) * 2) / 3,
  };
}

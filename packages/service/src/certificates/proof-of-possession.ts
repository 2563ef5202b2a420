import { generateKeyPair, issueAndParse, type Certificate } from '@sevenfold/pki';

import { ServiceError } from '../service-error.ts';
import type { IssuingContext } from './device-certificates.ts';

/**
 * Proves to a relying party that this tenant's CA is in the tenant's hands: a certificate whose common name is the
 * relying party's nonce, signed by that CA, good for an hour. Its key is thrown away before anybody has seen it.
 * A CA that does not issue yet proves itself as well: that is when it is registered. Refuses a CA that was taken
 * back or has ended with `CertificateUnavailable`, one of another tenant with `NotFound`.
 */
export async function provePossession(
  context: IssuingContext,
  tenantId: string,
  serial: string,
  nonce: string,
): Promise<Certificate> {
  const { authorities, clock, entropy } = context;
  const authority = await authorities.ofTenantBySerial(tenantId, serial);
  if (authority.revokedAt !== null || authority.notAfter <= clock.now()) {
    throw new ServiceError('CertificateUnavailable', 'This CA was taken back or has ended.', {
      field: 'serial',
      rule: 'Active, Inactive or Retired',
    });
  }
  const { spki } = generateKeyPair();
  return issueAndParse(
    'proofOfPossession',
    { subject: [['CN', nonce]], publicKey: spki, now: clock.now(), entropy },
    authorities.issuerOf(authority),
  );
}

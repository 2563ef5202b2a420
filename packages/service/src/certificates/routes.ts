import { createHash } from 'node:crypto';

import { nameText, toPem } from '@sevenfold/pki';

import { toTime, type Handlers } from '../http/handlers.ts';
import { ServiceError } from '../service-error.ts';
import type { CertificateAuthorities } from './authorities.ts';

type CertificateHandlers = Pick<Handlers, 'certificates' | 'certificateChain'>;

/** Answers the routes on a tenant's certificate authorities. */
export function certificateHandlers(context: {
  readonly authorities: CertificateAuthorities;
}): CertificateHandlers {
  const { authorities } = context;
  return {
    async certificates({ params }) {
      const current = await authorities.ensureTenantCa(params.tenantId);
      const all = await authorities.ofTenant(params.tenantId);
      return {
        items: all.map(({ certificate }) => ({
          serial: certificate.serial,
          subject: nameText(certificate.subject),
          notBefore: toTime(certificate.notBefore),
          notAfter: toTime(certificate.notAfter),
          thumbprint: createHash('sha1').update(certificate.der).digest('hex'),
          status:
            certificate.serial === current.certificate.serial ? ('Active' as const) : ('Inactive' as const),
        })),
      };
    },
    async certificateChain({ params }) {
      const all = await authorities.ofTenant(params.tenantId);
      const wanted = all.find((authority) => authority.certificate.serial === params.serial);
      if (wanted === undefined) {
        throw new ServiceError('NotFound', `There is no certificate "${params.serial}".`, {
          field: 'serial',
        });
      }
      const chain = await authorities.chainOf(wanted);
      return { chainPem: toPem('CERTIFICATE', ...chain.map((certificate) => certificate.der)) };
    },
  };
}

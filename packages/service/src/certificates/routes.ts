import { createHash } from 'node:crypto';

import { encodeCertificateBag, nameText, toPem, type Certificate } from '@sevenfold/pki';

import { toTime, type Handlers } from '../http/handlers.ts';
import type { Authority } from './authorities.ts';
import type { IssuingContext } from './device-certificates.ts';
import type { AuthorityStatus } from './life-cycle.ts';
import { provePossession } from './proof-of-possession.ts';

type CertificateHandlers = Pick<
  Handlers,
  | 'certificates'
  | 'certificate'
  | 'certificateChain'
  | 'proveCertificate'
  | 'revokeCertificate'
  | 'intermediates'
  | 'replaceIntermediate'
>;

/** Answers the routes on certificate authorities; `gate` looks at them anew when they have changed. */
export function certificateHandlers(
  context: IssuingContext & { readonly gate?: { refresh(): Promise<void> } },
): CertificateHandlers {
  const { authorities, gate } = context;
  return {
    async certificates({ params }) {
      await authorities.ensureTenantCa(params.tenantId);
      return { items: (await authorities.ofTenant(params.tenantId)).map(describe) };
    },
    async certificate({ params }) {
      const authority = await authorities.ofTenantBySerial(params.tenantId, params.serial);
      return { ...describe(authority), cer: toBase64(authority.certificate.der) };
    },
    async certificateChain({ params }) {
      const authority = await authorities.ofTenantBySerial(params.tenantId, params.serial);
      const chain = (await authorities.chainOf(authority)).map((certificate) => certificate.der);
      return { chainPem: toPem('CERTIFICATE', ...chain), p7b: toBase64(encodeCertificateBag(chain)) };
    },
    async proveCertificate({ params, body }) {
      const proof = await provePossession(context, params.tenantId, params.serial, body.nonce);
      return { cer: toBase64(proof.der), notAfter: toTime(proof.notAfter) };
    },
    async revokeCertificate({ params, body }) {
      const next = await authorities.revokeTenantCa(params.tenantId, body.serial);
      await gate?.refresh();
      return describe({ ...next, status: 'Active' });
    },
    async intermediates() {
      const intermediate = await authorities.issuing('intermediate', null);
      return { items: [describe({ ...intermediate, status: 'Active' })] };
    },
    async replaceIntermediate({ body }) {
      const next = await authorities.replaceIntermediate(body.serial, body.compromised);
      await gate?.refresh();
      return describe({ ...next, status: 'Active' });
    },
  };
}

interface CertificateDescription {
  serial: string;
  subject: string;
  notBefore: string;
  notAfter: string;
  thumbprint: string;
  status: AuthorityStatus;
  activeFrom: string;
  revokedAt: string | null;
}

function describe(authority: Authority & { readonly status: AuthorityStatus }): CertificateDescription {
  const { certificate, status, activeFrom, revokedAt } = authority;
  return {
    serial: certificate.serial,
    subject: nameText(certificate.subject),
    notBefore: toTime(certificate.notBefore),
    notAfter: toTime(certificate.notAfter),
    thumbprint: thumbprintOf(certificate),
    status,
    // Authorities of earlier versions issued from their first moment on.
    activeFrom: toTime(Math.max(activeFrom, certificate.notBefore)),
    revokedAt: revokedAt === null ? null : toTime(revokedAt),
  };
}

/** SHA-1 of the certificate: the word by which clouds name what was registered. */
function thumbprintOf(certificate: Certificate): string {
  return createHash('sha1').update(certificate.der).digest('hex');
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

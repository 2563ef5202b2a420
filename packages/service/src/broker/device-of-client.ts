import { commonName, parseCertificate, verifyChain, type Certificate } from '@sevenfold/pki';

/** The id of the device whose client certificate this is; null for every other certificate, and for none. */
export function deviceOfClientCertificate(
  untrusted: Uint8Array | null,
  tenantCas: readonly Certificate[],
  now: number,
): string | null {
  if (untrusted === null) return null;
  try {
    const leaf = parseCertificate(untrusted);
    verifyChain({ leaf, intermediates: [], roots: tenantCas, now, purpose: 'clientAuth' });
    return leaf.attestation?.verdict === 'trusted' ? commonName(leaf.subject) : null;
  } catch {
    // Whatever is wrong with it, it is nobody's certificate here.
    return null;
  }
}

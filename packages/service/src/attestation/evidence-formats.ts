import { ServiceError } from '../service-error.ts';
import type { EvidenceFormat, UnprovenEvidence } from './evidence.ts';
import { PSA_EVIDENCE } from './psa.ts';

/** Every kind of evidence that this service reads. Another one, such as a TPM's quote, is a file and a row here. */
const EVIDENCE_FORMATS: readonly EvidenceFormat[] = [PSA_EVIDENCE];

/** Decodes evidence by its first bytes. `InvalidEvidence` for what is of no known format. */
export function decodeEvidence(untrusted: Uint8Array): UnprovenEvidence {
  const format = EVIDENCE_FORMATS.find((known) => known.recognises(untrusted));
  if (format !== undefined) return format.decode(untrusted);
  throw new ServiceError('InvalidEvidence', 'This is no evidence of a kind that is known here.', {
    field: 'token',
    rule: `one of ${EVIDENCE_FORMATS.map(({ name }) => name).join(', ')}`,
  });
}

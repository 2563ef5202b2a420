import {
  decodePsaClaims,
  decodeSign1,
  securityLifecycleState,
  toHex,
  type SoftwareComponent,
} from '@sevenfold/formats';
import { verifySignature } from '@sevenfold/pki';

import type { EvidenceFormat, Lifecycle, MeasuredComponent } from './evidence.ts';

/** PSA attestation tokens (RFC 9783), signed as COSE_Sign1 (RFC 9052). */
export const PSA_EVIDENCE: EvidenceFormat = {
  name: 'psa',
  decode(untrusted) {
    const signed = decodeSign1(untrusted);
    const claims = decodePsaClaims(signed.payload);
    return {
      format: 'psa',
      // The instance id is a type byte and the hash of the attestation key (RFC 9783 §4.2.1).
      deviceId: toHex(claims.instanceId.subarray(1)),
      challenge: claims.nonce,
      lifecycle: lifecycleOf(claims.securityLifecycle),
      components: claims.softwareComponents.map(componentOf),
      isSignedBy: (spki) => verifySignature(spki, signed.toBeSigned, signed.signature, signed.algorithm),
    };
  },
};

function lifecycleOf(value: number): Lifecycle {
  const state = securityLifecycleState(value) ?? 'unknown';
  return { isSecured: state === 'secured', text: state };
}

/** Our devices write `<name>;sv=<security version>` as a component's version. */
function componentOf(claim: SoftwareComponent): MeasuredComponent {
  const parts = /^(.*);sv=([0-9]{1,9})$/u.exec(claim.version ?? '');
  return {
    imageType: claim.measurementType ?? 'unnamed',
    name: parts?.[1] ?? claim.version ?? 'unnamed',
    securityVersion: parts?.[2] === undefined ? null : Number(parts[2]),
    digest: claim.measurementValue,
    signerId: claim.signerId,
  };
}

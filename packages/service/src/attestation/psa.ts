import {
  decodePsaClaims,
  decodeSign1,
  securityLifecycleState,
  toHex,
  type SecurityLifecycleState,
  type SoftwareComponent,
} from '@sevenfold/formats';
import { verifyOnce } from '@sevenfold/pki';

import type { ChipState, EvidenceFormat, Lifecycle, MeasuredComponent } from './evidence.ts';

/** What the lifecycle states of RFC 9783 §4.3.1 mean here. */
const STATES: Readonly<Record<SecurityLifecycleState, ChipState>> = {
  unknown: 'unknown',
  'assembly-and-test': 'manufacturing',
  'psa-rot-provisioning': 'manufacturing',
  secured: 'secured',
  'non-psa-rot-debug': 'debug',
  'recoverable-psa-rot-debug': 'debug',
  decommissioned: 'decommissioned',
};

/** Tag 18 in its one byte, and the array of four that a bare message begins with (RFC 9052 §4.2). */
const FIRST_BYTES: readonly (number | undefined)[] = [0xd2, 0x84];

/** PSA attestation tokens of all three profiles (RFC 9783), signed as COSE_Sign1 (RFC 9052). */
export const PSA_EVIDENCE: EvidenceFormat = {
  name: 'psa',
  recognises: (untrusted) => FIRST_BYTES.includes(untrusted[0]),
  decode(untrusted) {
    const signed = decodeSign1(untrusted, { views: true });
    const claims = decodePsaClaims(signed.payload, { views: true });
    return {
      format: 'psa',
      // The instance id names the chip, however its maker made it (RFC 9783 §4.2.1).
      evidenceName: toHex(claims.instanceId),
      challenge: claims.nonce,
      lifecycle: lifecycleOf(claims.securityLifecycle),
      components: claims.softwareComponents.map(componentOf),
      isSignedBy: (spki) => verifyOnce(spki, signed.toBeSigned, signed.signature, signed.algorithm),
    };
  },
};

function lifecycleOf(value: number): Lifecycle {
  const text = securityLifecycleState(value) ?? 'unknown';
  return { state: STATES[text], text };
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

import { readEndorsements, toHex, type Endorsement, type EndorsementFormat } from '@sevenfold/formats';
import { spkiSha256 } from '@sevenfold/pki';

import { ServiceError } from '../service-error.ts';
import { checkAttestationKey } from './attestation-key.ts';

/** A line of a batch that cannot be taken in, counted from 1. */
export interface BadLine {
  readonly line: number;
  readonly rule: string;
}

/** So many bad lines are told; a batch with more has one thing wrong with all of it. */
const MAX_BAD_LINES = 20;

/**
 * Parses a batch and judges what each line says. Refuses it as a whole with `InvalidEndorsements`, whose message names
 * every bad line by its number; the n-th endorsement of the answer is that of line n.
 */
export function parseEndorsementBatch(
  untrusted: Uint8Array,
  format: EndorsementFormat,
): readonly Endorsement[] {
  const endorsements: Endorsement[] = [];
  const badLines: BadLine[] = [];
  const lineOfDevice = new Map<string, number>();
  const lineOfName = new Map<string, number>();
  for (const read of readEndorsements(untrusted, format)) {
    const { line } = read;
    const rule = 'rule' in read ? read.rule : whatIsWrong(read.endorsement, lineOfDevice, lineOfName);
    if (rule !== null) badLines.push({ line, rule });
    if ('rule' in read) continue;
    const { deviceId, evidenceName } = read.endorsement;
    if (!lineOfDevice.has(deviceId)) lineOfDevice.set(deviceId, line);
    if (!lineOfName.has(evidenceName)) lineOfName.set(evidenceName, line);
    endorsements.push(read.endorsement);
  }
  if (badLines.length > 0) throw badBatch(badLines);
  if (endorsements.length === 0) {
    throw new ServiceError('InvalidEndorsements', 'The batch endorses no device.', {
      field: 'batch',
      rule: 'at least one line',
    });
  }
  return endorsements;
}

/** The refusal of a batch: `field` is the first bad line, the message lists all of them. */
export function badBatch(badLines: readonly BadLine[]): ServiceError {
  const shown = badLines.slice(0, MAX_BAD_LINES).map(({ line, rule }) => `line ${line}: ${rule}`);
  const more = badLines.length > shown.length ? ` … and ${badLines.length - shown.length} more` : '';
  return new ServiceError('InvalidEndorsements', `Nothing was imported. ${shown.join('; ')}${more}.`, {
    field: `line ${badLines[0]?.line ?? 0}`,
    rule: badLines[0]?.rule ?? 'every line is an endorsement',
  });
}

/** What no endorsement may say, or may say twice; null for one that is in order. */
function whatIsWrong(
  { deviceId, spki, evidenceName }: Endorsement,
  lineOfDevice: ReadonlyMap<string, number>,
  lineOfName: ReadonlyMap<string, number>,
): string | null {
  if (toHex(spkiSha256(spki)) !== deviceId) return 'deviceId is not the SHA-256 of spki';
  try {
    checkAttestationKey(spki, 'spki');
  } catch {
    return 'spki is not a key of P-256, P-384 or Ed25519';
  }
  const sameDevice = lineOfDevice.get(deviceId);
  if (sameDevice !== undefined) return `the device is in line ${sameDevice} already`;
  const sameName = lineOfName.get(evidenceName);
  return sameName === undefined ? null : `the evidence name is in line ${sameName} already`;
}

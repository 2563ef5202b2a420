import { toHex, utf8Decode } from '@sevenfold/formats';
import { checkP256Spki, spkiSha256 } from '@sevenfold/pki';

import { ServiceError } from '../service-error.ts';

/** What a silicon maker says about one chip: this key was made inside it and cannot leave it. */
export interface Endorsement {
  /** 64 hex digits: SHA-256 of `spki`. */
  readonly deviceId: string;
  /** SPKI (DER) of the chip's attestation key: ECDSA P-256. */
  readonly spki: Uint8Array;
  readonly chipSku: number;
}

/** A line of a batch that cannot be taken in, counted from 1. */
export interface BadLine {
  readonly line: number;
  readonly rule: string;
}

const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_LINE_LENGTH = 1024;
/** So many bad lines are told; a batch with more has one thing wrong with all of it. */
const MAX_BAD_LINES = 20;
const MAX_CHIP_SKU = 0xffff_ffff;
const FIELDS = ['deviceId', 'spki', 'chipSku'] as const;

/**
 * Parses a batch: JSON Lines, each `{"deviceId": …, "spki": base64, "chipSku": n}`.
 * Refuses it as a whole with `InvalidEndorsements`, whose message names every bad line by its number.
 */
export function parseEndorsementBatch(untrusted: Uint8Array): readonly Endorsement[] {
  if (untrusted.length > MAX_BATCH_BYTES) {
    throw new ServiceError('InvalidEndorsements', 'The batch is too large.', {
      field: 'batch',
      rule: `at most ${MAX_BATCH_BYTES} bytes`,
    });
  }
  const lines = utf8Decode(untrusted).split('\n');
  if (lines.at(-1) === '') lines.pop();
  const endorsements: Endorsement[] = [];
  const badLines: BadLine[] = [];
  const firstLineOf = new Map<string, number>();
  for (const [index, text] of lines.entries()) {
    const line = index + 1;
    const parsed = parseLine(text);
    const earlier = typeof parsed === 'string' ? undefined : firstLineOf.get(parsed.deviceId);
    if (typeof parsed === 'string') {
      badLines.push({ line, rule: parsed });
    } else if (earlier !== undefined) {
      badLines.push({ line, rule: `the device is in line ${earlier} already` });
    } else {
      firstLineOf.set(parsed.deviceId, line);
      endorsements.push(parsed);
    }
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

/** The endorsement, or what is wrong with the line. */
function parseLine(text: string): Endorsement | string {
  if (text.length > MAX_LINE_LENGTH) return `longer than ${MAX_LINE_LENGTH} characters`;
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object';
  const keys = Object.keys(value);
  const unknown = keys.find((key) => !FIELDS.some((field) => field === key));
  if (unknown !== undefined) return `unknown field "${unknown.slice(0, 40)}"`;
  const { deviceId, spki, chipSku } = value as Partial<Record<(typeof FIELDS)[number], unknown>>;
  if (typeof deviceId !== 'string' || !/^[0-9a-f]{64}$/u.test(deviceId))
    return 'deviceId is not 64 lower-case hex digits';
  if (typeof chipSku !== 'number' || !Number.isInteger(chipSku) || chipSku < 0 || chipSku > MAX_CHIP_SKU) {
    return 'chipSku is not a 32-bit unsigned integer';
  }
  const key = typeof spki === 'string' ? parseKey(spki) : null;
  if (key === null) return 'spki is not the base64 of an ECDSA P-256 key';
  if (toHex(spkiSha256(key)) !== deviceId) return 'deviceId is not the SHA-256 of spki';
  return { deviceId, spki: key, chipSku };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A line that is no JSON is told by its number, with all other bad lines.
    return undefined;
  }
}

function parseKey(base64: string): Uint8Array | null {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) return null;
  try {
    return checkP256Spki(new Uint8Array(bytes), 'spki');
  } catch {
    // As above: the caller says which line.
    return null;
  }
}

import { fromBase64Url, fromHex, toHex } from './bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { cborMap, CborMapReader, readArray } from './cbor-reader.ts';
import { FormatError, toProblem } from './errors.ts';
import { isJsonObject, parseJson } from './json.ts';

/** What a silicon maker says about one chip: this key was made inside it and cannot leave it. */
export interface Endorsement {
  /** 64 hex digits: SHA-256 of `spki`. */
  readonly deviceId: string;
  /** SPKI (DER) of the chip's attestation key: P-256, P-384 or Ed25519. */
  readonly spki: Uint8Array;
  readonly chipSku: number;
  /**
   * Hex of the name that the chip's evidence uses: a UEID or instance id (RFC 9783 §4.2.1), an AK name. Where a batch
   * leaves it out it is 0x01 and the device id, as our own chips have it.
   */
  readonly evidenceName: string;
}

/** One line or item of a batch: what it says, or what is wrong with it. Counted from 1. */
export type EndorsementLine =
  | { readonly line: number; readonly endorsement: Endorsement }
  | { readonly line: number; readonly rule: string };

/** How a batch is written. */
export type EndorsementFormat = 'json-lines' | 'cbor';

/** A batch at most, in bytes. */
export const MAX_ENDORSEMENT_BATCH = 8 * 1024 * 1024;
const MAX_LINE = 1024;
const MAX_ITEMS = 100_000;
const MAX_CHIP_SKU = 0xffff_ffff;
const MAX_SPKI = 512;
const NAME = { min: 7, max: 64 } as const;

const KEYS = { deviceId: 1, spki: 2, chipSku: 3, evidenceName: 4 } as const;
const FIELDS: readonly string[] = Object.keys(KEYS);

/** The name that evidence of a chip uses whose maker named none: type RAND and the device id. */
export function evidenceNameOf(deviceId: string): string {
  return `01${deviceId}`;
}

/**
 * Reads a batch line by line. Bad lines are part of the result, so that all of them can be told; what is no batch at
 * all is refused. Keys are only bounded here: whether they are keys is for whoever imports them.
 */
export function readEndorsements(
  untrusted: Uint8Array,
  format: EndorsementFormat,
): readonly EndorsementLine[] {
  if (untrusted.length > MAX_ENDORSEMENT_BATCH) {
    throw new FormatError('TooLong', 'The batch is too large.', {
      field: 'batch',
      rule: `at most ${MAX_ENDORSEMENT_BATCH} bytes`,
    });
  }
  return format === 'cbor' ? readCborBatch(untrusted) : readJsonLines(untrusted);
}

/** A batch in CBOR, deterministic: an array of maps. */
export function encodeEndorsements(endorsements: readonly Endorsement[]): Uint8Array<ArrayBuffer> {
  return encodeCbor(
    endorsements.map(({ deviceId, spki, chipSku, evidenceName }) =>
      cborMap(KEYS, {
        deviceId: fromHex(deviceId),
        spki,
        chipSku,
        evidenceName: evidenceName === evidenceNameOf(deviceId) ? undefined : fromHex(evidenceName),
      }),
    ),
  );
}

function readCborBatch(untrusted: Uint8Array): readonly EndorsementLine[] {
  const decoded = decodeCbor(untrusted, { maxBytes: MAX_ENDORSEMENT_BATCH, maxDepth: 2 });
  return readArray(decoded, 'batch', MAX_ITEMS).map((item, index) => lineOf(index + 1, () => readItem(item)));
}

function readItem(item: CborValue): Endorsement {
  const reader = new CborMapReader(item, KEYS);
  const deviceId = toHex(reader.bytes('deviceId', { length: 32 }));
  const name = reader.optional('evidenceName', () => reader.bytes('evidenceName', NAME));
  const endorsement: Endorsement = {
    deviceId,
    spki: reader.bytes('spki', { min: 1, max: MAX_SPKI }),
    chipSku: reader.uint('chipSku', { max: MAX_CHIP_SKU }),
    evidenceName: name === undefined ? evidenceNameOf(deviceId) : toHex(name),
  };
  reader.end();
  return endorsement;
}

function readJsonLines(untrusted: Uint8Array): readonly EndorsementLine[] {
  const lines: EndorsementLine[] = [];
  let start = 0;
  // Cut at the line feeds before anything is decoded: one line that is no UTF-8 is one bad line.
  while (start < untrusted.length) {
    const feed = untrusted.indexOf(0x0a, start);
    const end = feed === -1 ? untrusted.length : feed;
    const bytes = untrusted.subarray(start, end);
    lines.push(lineOf(lines.length + 1, () => readJsonLine(bytes)));
    start = end + 1;
  }
  return lines;
}

function lineOf(line: number, read: () => Endorsement): EndorsementLine {
  try {
    return { line, endorsement: read() };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const { message, field } = toProblem(error);
    return { line, rule: field === undefined || message.includes(field) ? message : `${field}: ${message}` };
  }
}

function badField(field: string, rule: string): FormatError {
  return new FormatError('WrongType', `${field} is not ${rule}.`, { field, rule });
}

/** `{"deviceId": hex, "spki": base64, "chipSku": n, "evidenceName"?: hex}`, each field once and no other. */
function readJsonLine(bytes: Uint8Array): Endorsement {
  if (bytes.length > MAX_LINE) {
    throw new FormatError('TooLong', `The line has more than ${MAX_LINE} bytes.`);
  }
  const fields = parseJson(bytes);
  if (!isJsonObject(fields)) throw new FormatError('WrongType', 'The line is no JSON object.');
  for (const name of fields.keys()) {
    if (FIELDS.includes(name)) continue;
    throw new FormatError('UnknownField', `Unknown field "${name.slice(0, 40)}".`);
  }
  const deviceId = fields.get('deviceId');
  if (typeof deviceId !== 'string' || !/^[0-9a-f]{64}$/.test(deviceId)) {
    throw badField('deviceId', '64 lower-case hex digits');
  }
  const chipSku = fields.get('chipSku');
  if (
    typeof chipSku !== 'number' ||
    !Number.isInteger(chipSku) ||
    chipSku < 0 ||
    Object.is(chipSku, -0) ||
    chipSku > MAX_CHIP_SKU
  ) {
    throw badField('chipSku', 'a 32-bit unsigned integer');
  }
  const evidenceName = fields.has('evidenceName') ? fields.get('evidenceName') : evidenceNameOf(deviceId);
  if (typeof evidenceName !== 'string' || !/^([0-9a-f]{2}){7,64}$/.test(evidenceName)) {
    throw badField('evidenceName', '7 to 64 bytes in lower-case hex');
  }
  return { deviceId, spki: readKey(fields.get('spki')), chipSku, evidenceName };
}

/** Base64 with padding (RFC 4648 §4), in its one form. */
function readKey(text: unknown): Uint8Array {
  const isBase64 = typeof text === 'string' && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  if (!isBase64) throw badField('spki', 'a key in base64');
  const spki = fromBase64Url(text.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_'));
  if (spki.length > MAX_SPKI) throw badField('spki', `at most ${MAX_SPKI} bytes`);
  return spki;
}

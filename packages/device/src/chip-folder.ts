import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { CHIP_SKUS, fromBase64Url, toBase64Url, type ChipSkuName } from '@sevenfold/formats';
import { DeviceError } from './errors.ts';

/** What a chip's folder says of it, beside the bits themselves. */
export interface ChipInfo {
  readonly sku: ChipSkuName;
  readonly deviceId: string;
  /** SubjectPublicKeyInfo of the attestation key, DER. */
  readonly attestationSpki: Uint8Array;
}

/** Files of a chip's folder. */
export const CHIP_FILES = {
  info: 'chip.json',
  fuses: 'fuses.bin',
  flash: 'flash.bin',
  rtc: 'rtc.bin',
} as const;

/** The file of a memory on the board, by the name of the part: letters, digits and underscores. */
export const partFile = (name: string): string => `part-${name}.bin`;

/** Manufacture writes `unfinished` first and the rest last: what was cut in between is recognised and redone. */
type ChipDocument = { readonly format: 1; readonly state: 'unfinished' } | FinishedDocument;
interface FinishedDocument {
  readonly format: 1;
  readonly state: 'finished';
  readonly sku: string;
  readonly deviceId: string;
  readonly attestationSpki: string;
}

/** Makes the folder where there is none. */
export async function makeChipFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
}

/** The finished chip in `dir`; `unfinished` where its manufacture was cut; null where there is none. */
export async function readChipInfo(dir: string): Promise<ChipInfo | 'unfinished' | null> {
  let text: string;
  try {
    text = await readFile(join(dir, CHIP_FILES.info), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  return parseDocument(text);
}

/** The finished chip in `dir`. `ChipNotFound`, `ChipUnfinished` or `ChipDamaged` otherwise. */
export async function requireChipInfo(dir: string): Promise<ChipInfo> {
  const info = await readChipInfo(dir);
  if (info === null) throw new DeviceError('ChipNotFound', `There is no chip in ${dir}.`);
  if (info === 'unfinished') {
    throw new DeviceError('ChipUnfinished', `The chip in ${dir} was never finished: manufacture it again.`);
  }
  return info;
}

/** Marks the folder as one whose chip is being made. */
export async function markUnfinished(dir: string): Promise<void> {
  await writeDocument(dir, { format: 1, state: 'unfinished' });
}

/** Marks the chip as finished: from now on it is never made anew. */
export async function markFinished(dir: string, info: ChipInfo): Promise<void> {
  const attestationSpki = toBase64Url(info.attestationSpki);
  await writeDocument(dir, {
    format: 1,
    state: 'finished',
    sku: info.sku,
    deviceId: info.deviceId,
    attestationSpki,
  });
}

function parseDocument(text: string): ChipInfo | 'unfinished' {
  const damaged = (rule: string): never => {
    throw new DeviceError('ChipDamaged', `${CHIP_FILES.info} is damaged: ${rule}.`, {
      field: CHIP_FILES.info,
      rule,
    });
  };
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return damaged('JSON');
  }
  if (typeof document !== 'object' || document === null) return damaged('an object');
  const field = (name: string): unknown => Reflect.get(document, name);
  if (field('format') !== 1) return damaged('format 1');
  if (field('state') === 'unfinished') return 'unfinished';
  const sku = Object.keys(CHIP_SKUS).find((name): name is ChipSkuName => name === field('sku'));
  const deviceId = field('deviceId');
  const spki = field('attestationSpki');
  if (
    field('state') !== 'finished' ||
    sku === undefined ||
    typeof deviceId !== 'string' ||
    typeof spki !== 'string'
  ) {
    return damaged('state, sku, deviceId and attestationSpki');
  }
  return { sku, deviceId, attestationSpki: fromBase64Url(spki) };
}

/** Replaces the file as a whole and waits until the disk has it. */
async function writeDocument(dir: string, document: ChipDocument): Promise<void> {
  const path = join(dir, CHIP_FILES.info);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(document, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

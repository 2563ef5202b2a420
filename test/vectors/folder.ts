import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = process.env['SEVENFOLD_VECTORS'] ?? join(import.meta.dirname, '../../../shared/vectors');

/** True where the folder of foreign vectors is present; says plainly what is skipped where it is not. */
export const hasVectors = existsSync(FOLDER);
if (!hasVectors) console.log(`skipped: no foreign vectors at ${FOLDER} (set SEVENFOLD_VECTORS)`);

/** Names of the files in a folder of vectors. */
export function vectorNames(folder: string): readonly string[] {
  return readdirSync(join(FOLDER, folder)).toSorted();
}

/** One file of vectors as JSON; its shape is the caller's to know. */
export function vectorJson(...path: readonly string[]): unknown {
  return JSON.parse(readFileSync(join(FOLDER, ...path), 'utf8'));
}

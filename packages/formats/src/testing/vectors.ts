import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the test vectors that others made: beside the project, or where SEVENFOLD_VECTORS says. */
const FOLDER = process.env['SEVENFOLD_VECTORS'] ?? join(import.meta.dirname, '../../../../../shared/vectors');

/** True where that folder is present; says plainly once what is skipped where it is not. */
export const hasVectors = existsSync(FOLDER);
if (!hasVectors)
  console.log(
    `Tests with foreign vectors are skipped: there is no folder ${FOLDER} (set SEVENFOLD_VECTORS).`,
  );

/** Names of the files in a folder of vectors. */
export function vectorNames(folder: string): readonly string[] {
  return readdirSync(join(FOLDER, folder)).toSorted();
}

/** Bytes of one file of vectors. */
export function vectorBytes(...path: readonly string[]): Uint8Array {
  return new Uint8Array(readFileSync(join(FOLDER, ...path)));
}

/** One file of vectors as JSON. */
export function vectorJson(...path: readonly string[]): unknown {
  return JSON.parse(readFileSync(join(FOLDER, ...path), 'utf8'));
}

import { readFile } from 'node:fs/promises';
import { CliError } from './errors.ts';

/** The content of a file that a person named. Throws `FileError`. */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown reason';
    throw new CliError('FileError', `Cannot read ${path}: ${why}`, { cause });
  }
}

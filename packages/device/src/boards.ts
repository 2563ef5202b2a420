import { readFile } from 'node:fs/promises';
import { parseBoardFile, type BoardDescription } from '@sevenfold/silicon';

/** The board of `hardware/virtual_board.json`: what hangs on its pins. */
export async function virtualBoard(): Promise<BoardDescription> {
  return readBoard(new URL('../boards/virtual_board.json', import.meta.url));
}

/** Reads a board file (docs/silicon.md). Throws `BoardFileInvalid`. */
export async function readBoard(path: string | URL): Promise<BoardDescription> {
  return parseBoardFile(new Uint8Array(await readFile(path)));
}

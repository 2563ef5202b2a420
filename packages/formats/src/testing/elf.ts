import { concatBytes, viewOf } from '../bytes.ts';

/** A segment of a program that a test makes. */
export interface TestSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes in memory; absent: those of the file. */
  readonly size?: number;
  /** p_flags; absent: readable and executable. */
  readonly flags?: number;
  /** p_type; absent: to be loaded. */
  readonly type?: number;
  /** Other first and second vectors than those in `bytes`. */
  readonly stack?: number;
  readonly reset?: number;
}

/** Writes an ELF file for a real-time core: header, program headers, then each segment on a multiple of 32. */
export function buildElf(program: {
  readonly segments: readonly TestSegment[];
  /** Entry point; absent: the start of TCM. */
  readonly vectors?: number;
  /** Bytes behind all that. */
  readonly padding?: number;
}): Uint8Array<ArrayBuffer> {
  const { segments, vectors = 0x0010_0000, padding = 0 } = program;
  const header = new Uint8Array(52);
  const view = viewOf(header);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  for (const [at, value] of [
    [16, 2],
    [18, 40],
    [40, 52],
    [42, 32],
    [44, segments.length],
  ] as const)
    view.setUint16(at, value, true);
  for (const [at, value] of [
    [20, 1],
    [24, vectors],
    [28, 52],
    [36, 0x0500_0400],
  ] as const)
    view.setUint32(at, value, true);
  const headers: Uint8Array[] = [];
  const contents: Uint8Array[] = [];
  let offset = Math.ceil((52 + segments.length * 32) / 32) * 32;
  contents.push(new Uint8Array(offset - 52 - segments.length * 32));
  for (const { address, bytes, size = bytes.length, flags = 5, type = 1, stack, reset } of segments) {
    const content = new Uint8Array(Math.ceil(bytes.length / 32) * 32);
    content.set(bytes);
    if (stack !== undefined) viewOf(content).setUint32(0, stack, true);
    if (reset !== undefined) viewOf(content).setUint32(4, reset, true);
    const words = [type, offset, address, address, bytes.length, size, flags, 32];
    const row = new Uint8Array(32);
    words.forEach((word, index) => viewOf(row).setUint32(index * 4, word, true));
    headers.push(row);
    contents.push(content);
    offset += content.length;
  }
  return concatBytes(header, ...headers, ...contents, new Uint8Array(padding));
}

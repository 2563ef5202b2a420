import { concatBytes, utf8DecodeLossy } from '@sevenfold/formats';
import { SdkError } from '../errors.ts';

/** A section of a module: where its content starts and ends in the file, and where its header starts. */
interface WasmSection {
  readonly id: number;
  /** Of custom sections; empty for others. */
  readonly name: string;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

const HEADER = 8;
const CUSTOM = 0;
const CODE_SECTION = 10;

const unexpected = (): SdkError =>
  new SdkError('UnexpectedModule', 'The linker wrote a module that ends inside a section.');

/** A cursor over LEB128 numbers and names of a module of our own linker. */
export class ModuleCursor {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const value = this.#bytes[this.at];
    if (value === undefined) throw unexpected();
    this.at += 1;
    return value;
  }

  unsigned(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  /** Signed LEB128 of at most 32 bits. */
  signed(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && (byte & 0x40) !== 0 ? value | (-1 << shift) : value;
    }
  }

  /** A text that a zero ends. */
  terminated(): string {
    const end = this.#bytes.indexOf(0, this.at);
    if (end === -1) throw unexpected();
    const text = utf8DecodeLossy(this.#bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }

  name(): string {
    const length = this.unsigned();
    if (this.at + length > this.#bytes.length) throw unexpected();
    this.at += length;
    return utf8DecodeLossy(this.#bytes.subarray(this.at - length, this.at));
  }
}

/** The sections of a module, in order. */
function readSections(module: Uint8Array): readonly WasmSection[] {
  const sections: WasmSection[] = [];
  const cursor = new ModuleCursor(module, HEADER);
  while (cursor.at < module.length) {
    const start = cursor.at;
    const id = cursor.byte();
    const length = cursor.unsigned();
    const end = cursor.at + length;
    if (end > module.length) throw unexpected();
    const name = id === CUSTOM ? cursor.name() : '';
    sections.push({ id, name, start, contentStart: cursor.at, end });
    cursor.at = end;
  }
  return sections;
}

/** The module without its custom sections: every other byte stays as it is. */
export function stripCustomSections(module: Uint8Array): Uint8Array {
  const kept = readSections(module).filter(({ id }) => id !== CUSTOM);
  return concatBytes(
    module.subarray(0, HEADER),
    ...kept.map(({ start, end }) => module.subarray(start, end)),
  );
}

/** Where the content of the code section starts and ends: DWARF counts its addresses from there. */
export function codeRange(module: Uint8Array): { readonly start: number; readonly end: number } {
  const code = readSections(module).find(({ id }) => id === CODE_SECTION);
  if (code === undefined) throw new SdkError('UnexpectedModule', 'The linker wrote a module without code.');
  return { start: code.contentStart, end: code.end };
}

/** Where each function's body begins in the file, in the order of the code section. */
export function functionBodies(module: Uint8Array): readonly number[] {
  const cursor = new ModuleCursor(module, codeRange(module).start);
  return Array.from({ length: cursor.unsigned() }, () => {
    const length = cursor.unsigned();
    cursor.at += length;
    return cursor.at - length;
  });
}

/** Bytes of a custom section; null when there is none of that name. */
export function customSection(module: Uint8Array, name: string): Uint8Array | null {
  const found = readSections(module).find((section) => section.id === CUSTOM && section.name === name);
  return found === undefined ? null : module.subarray(found.contentStart, found.end);
}

const FUNCTION_NAMES = 1;

/** Names of functions by index, from the name section (core specification, appendix 7.4). */
export function functionNames(
  module: Uint8Array,
): readonly { readonly index: number; readonly name: string }[] {
  const section = customSection(module, 'name');
  if (section === null) return [];
  const cursor = new ModuleCursor(section, 0);
  while (cursor.at < section.length) {
    const id = cursor.byte();
    const end = cursor.unsigned() + cursor.at;
    if (id !== FUNCTION_NAMES) {
      cursor.at = end;
      continue;
    }
    return Array.from({ length: cursor.unsigned() }, () => ({
      index: cursor.unsigned(),
      name: cursor.name(),
    }));
  }
  return [];
}

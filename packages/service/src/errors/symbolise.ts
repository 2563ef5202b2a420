import { lookupFunction, lookupSymbol, type ErrorReport, type SymbolMap } from '@sevenfold/formats';

/** One frame of a stack as a person reads it: innermost first. Without symbols, `file` and `line` are null. */
export interface StackFrame {
  readonly function: string;
  /** Byte offset in the app's module. */
  readonly offset: number;
  readonly file: string | null;
  readonly line: number | null;
}

/** Names the frames of a report by the symbols of the image that failed; functions without a name keep their number. */
export function symboliseFrames(
  frames: ErrorReport['frames'],
  symbols: SymbolMap | null,
): readonly StackFrame[] {
  return frames.map((frame) => {
    const found = symbols === null ? null : lookupSymbol(symbols, frame.offset);
    // Library code is shipped without lines, but its functions have names.
    const name = symbols === null ? null : lookupFunction(symbols, frame.function);
    return found === null
      ? { function: name ?? `wasm-function[${frame.function}]`, offset: frame.offset, file: null, line: null }
      : { function: found.function, offset: frame.offset, file: found.file, line: found.line };
  });
}

/** `store_sample (main.c:88)`, or the function alone where the line is not known. */
export function frameText(frame: StackFrame): string {
  return frame.file === null || frame.line === null
    ? frame.function
    : `${frame.function} (${frame.file}:${frame.line})`;
}

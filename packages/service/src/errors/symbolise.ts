import {
  functionHolding,
  lookupFunction,
  lookupPlaces,
  unwindCore,
  type CoreDump,
  type ErrorReport,
  type SymbolMap,
} from '@sevenfold/formats';

/** One frame of a stack as a person reads it: innermost first. Without symbols, `file` and `line` are null. */
export interface StackFrame {
  readonly function: string;
  /** Byte offset in the app's module; on a real-time core, the address. */
  readonly offset: number;
  readonly file: string | null;
  readonly line: number | null;
}

/** Names the frames of a report by the symbols of the image that failed; functions without a name keep their number. */
export function symboliseFrames(
  frames: ErrorReport['frames'],
  symbols: SymbolMap | null,
): readonly StackFrame[] {
  return frames.flatMap((frame): readonly StackFrame[] => {
    const { offset } = frame;
    // One frame of the machine is several of the source where functions were inlined.
    const places = symbols === null ? [] : lookupPlaces(symbols, offset);
    if (places.length > 0)
      return places.map(({ function: name, file, line }) => ({ function: name, offset, file, line }));
    // Library code is shipped without lines, but its functions have names.
    const name = symbols === null ? null : lookupFunction(symbols, frame.function);
    return [{ function: name ?? `wasm-function[${frame.function}]`, offset, file: null, line: null }];
  });
}

/**
 * The stack of a real-time core, unwound from its dump by the symbols of the image that failed; without those, the
 * instruction that failed alone.
 */
export function symboliseCore(core: CoreDump, symbols: SymbolMap | null): readonly StackFrame[] {
  return unwindCore(core, symbols?.unwind ?? []).flatMap((offset): readonly StackFrame[] => {
    const places = symbols === null ? [] : lookupPlaces(symbols, offset);
    if (places.length > 0)
      return places.map(({ function: name, file, line }) => ({ function: name, offset, file, line }));
    const name = symbols === null ? null : functionHolding(symbols, offset)?.name;
    return [
      { function: name ?? `0x${offset.toString(16).padStart(8, '0')}`, offset, file: null, line: null },
    ];
  });
}

/** `store_sample (main.c:88)`, or the function alone where the line is not known. */
export function frameText(frame: StackFrame): string {
  return frame.file === null || frame.line === null
    ? frame.function
    : `${frame.function} (${frame.file}:${frame.line})`;
}

/** The engine's WebAssembly API as far as the cores use it; the compiler's libraries describe it for browsers only. */
interface Api {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => LinearMemory;
  readonly Table: new (limits: { readonly element: 'anyfunc'; readonly initial: number }) => FunctionTable;
  readonly Module: new (bytes: Uint8Array) => CompiledModule;
  readonly Instance: new (
    module: CompiledModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}
/** A WebAssembly memory that never grows. */
export interface LinearMemory {
  readonly buffer: ArrayBuffer;
}
/** A WebAssembly table of functions. */
export interface FunctionTable {
  readonly length: number;
  readonly grow: (by: number) => number;
  readonly set: (index: number, value: unknown) => void;
}
/** A module that passed validation. */
type CompiledModule = object;

declare const WebAssembly: Api;

/** The engine's WebAssembly. */
export const wasm: Api = WebAssembly;

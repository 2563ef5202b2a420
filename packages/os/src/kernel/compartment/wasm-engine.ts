/** An instance's exports that matter here. */
interface ModuleInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

/** A host function for which the module may be suspended while its promise is pending (JSPI). */
export type HostFunction = (...args: never[]) => unknown;

/** The engine's WebAssembly API as far as a compartment uses it, with JavaScript Promise Integration. */
interface Engine {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, HostFunction>>>>,
  ) => ModuleInstance;
  readonly Suspending: new (call: HostFunction) => HostFunction;
  promising(call: () => unknown): () => Promise<unknown>;
}

// The language's built-in; TypeScript's library declares it with the browser only.
declare const WebAssembly: Engine;

/** The engine of this realm. */
export const engine: Engine = WebAssembly;

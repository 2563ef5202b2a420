import { compilerVersion, runClang, type Tool } from './clang.ts';
import type { Diagnostic } from './diagnostics.ts';
import {
  compiledPath,
  PROJECT,
  projectPath,
  SDK_LIBRARY,
  WARM_UP,
  type AppJob,
  type AppResult,
  type BuiltModule,
  type OwnClang,
  type SourceFile,
  type ToolchainRequest,
} from './job.ts';
import { neededParts } from './library-parts.ts';
import { ownClang } from './own-clang.ts';
import { contentKey, ResultCache } from './result-cache.ts';
import { makeSymbols } from './symbols.ts';
import {
  COMPILE_FLAGS,
  compile,
  CompileFailure,
  isSource,
  link,
  LINK_FLAGS,
  symbolize,
  type CompiledObject,
  type Sources,
} from './tools.ts';
import { stripCustomSections } from './wasm-sections.ts';

/*
 * The toolchain's own process: the compiler takes 600 MB, which go back to the machine when it ends.
 * Each message with a ToolchainRequest is answered by one with AppResult[]; it ends when its parent lets go.
 */

/** Paths as a person knows them: the project's own relative, the library's marked as the SDK's. */
function shorten(path: string): string {
  if (path.startsWith(SDK_LIBRARY)) return `<sdk>/${path.slice(SDK_LIBRARY.length)}`;
  return projectPath(path) ?? path;
}

/** A compiler, and everything that tells its results from those of others. */
interface Compiler {
  readonly clang: Tool;
  readonly identity: readonly string[];
}

const compilerOf = (own: OwnClang | null): Compiler =>
  own === null
    ? { clang: runClang, identity: [compilerVersion] }
    : { clang: ownClang(own), identity: Object.values(own).map(String) };

/** Compiles and links, and remembers both by what went in. */
class Builder {
  readonly #request: ToolchainRequest;
  readonly #cache: ResultCache;

  constructor(request: ToolchainRequest) {
    this.#request = request;
    this.#cache = new ResultCache(request.cacheDir);
  }

  async run(): Promise<readonly AppResult[]> {
    const results: AppResult[] = [];
    for (const app of this.#request.apps) results.push(await this.#build(app));
    await this.#cache.prune();
    return results;
  }

  /** Objects of the library's parts, one after the other: each takes the compiler some 100 ms the first time. */
  async #library(parts: readonly SourceFile[], compiler: Compiler): Promise<readonly Uint8Array[]> {
    const { headers, library } = this.#request;
    const objects: Uint8Array[] = [];
    for (const { path } of parts) {
      objects.push(
        (await this.#compile(`${SDK_LIBRARY}${path}`, { headers, library, project: [] }, [], compiler))
          .object,
      );
    }
    return objects;
  }

  /** What is read may be any header of the project: a source alone does not say which. */
  #compile(
    source: string,
    sources: Sources,
    flags: readonly string[],
    { clang, identity }: Compiler,
  ): Promise<CompiledObject> {
    const read = [...sources.headers, ...sources.library, ...sources.project].filter(
      ({ path }) => !isSource(path) || source === compiledPath(path) || source === `${SDK_LIBRARY}${path}`,
    );
    const key = contentKey([
      ...identity,
      'object; warnings without words of one size',
      source,
      ...COMPILE_FLAGS,
      ...flags,
      ...read.flatMap(({ path, bytes }) => [path, bytes]),
    ]);
    return this.#cache.get(key, () => compile(source, sources, flags, clang));
  }

  async #build(job: AppJob): Promise<AppResult> {
    const warnings: Diagnostic[] = [];
    try {
      const { headers } = this.#request;
      const sources = { headers, library: [], project: job.files };
      const flags = [
        `-I${PROJECT}`,
        ...job.includes.map((folder) => `-I${compiledPath(folder) ?? PROJECT}`),
        ...Object.entries(job.defines).map(([name, value]) => `-D${name}=${value}`),
        // The last one holds.
        ...(job.isForDebugger ? ['-O0'] : []),
      ];
      const compiler = compilerOf(job.compiler);
      const units = job.files.filter((file) => isSource(file.path));
      const objects: Uint8Array[] = [];
      for (const { path } of units) {
        const compiled = await this.#compile(compiledPath(path) ?? path, sources, flags, compiler);
        objects.push(compiled.object);
        warnings.push(...compiled.warnings);
      }
      const isCpp = units.some(({ path }) => !path.endsWith('.c'));
      const built = await this.#linkWithParts(job, objects, isCpp, compiler);
      return { built: { ...built, warnings: [...warnings, ...built.warnings] } };
    } catch (error) {
      if (!(error instanceof CompileFailure)) throw error;
      const { code, message, diagnostics } = error;
      return { failed: { code, message, diagnostics: [...warnings, ...diagnostics] } };
    }
  }

  async #linkWithParts(
    job: AppJob,
    objects: readonly Uint8Array[],
    isCpp: boolean,
    compiler: Compiler,
  ): Promise<BuiltModule> {
    const all = this.#request.library.filter(({ path }) => isSource(path));
    const needed = neededParts(all, job.files);
    try {
      return await this.#link(objects, await this.#library(needed, compiler), isCpp, compiler);
    } catch (error) {
      if (!(error instanceof CompileFailure) || needed.length === all.length) throw error;
      // A name that macros put together: with the whole library the linker knows for sure.
      return this.#link(objects, await this.#library(all, compiler), isCpp, compiler);
    }
  }

  #link(
    objects: readonly Uint8Array[],
    library: readonly Uint8Array[],
    isCpp: boolean,
    { clang, identity }: Compiler,
  ): Promise<BuiltModule> {
    const key = contentKey([
      ...identity,
      'link; symbols with inlined places',
      String(objects.length),
      ...LINK_FLAGS,
      ...objects,
      ...library,
    ]);
    return this.#cache.get(key, () => this.#linkNow(objects, library, isCpp, clang));
  }

  async #linkNow(
    objects: readonly Uint8Array[],
    library: readonly Uint8Array[],
    isCpp: boolean,
    clang: Tool,
  ): Promise<BuiltModule> {
    const { linked, warnings } = await link(objects, library, isCpp, clang);
    const module = stripCustomSections(linked);
    const symbols = await makeSymbols(linked, module, (addresses) => symbolize(linked, addresses), shorten);
    return { module, linked, ...symbols, warnings };
  }
}

/** Runs every tool once over the smallest app, until somebody wants an app of their own. */
async function warmUp(isWanted: () => boolean): Promise<void> {
  const main = { path: 'main.c', bytes: new TextEncoder().encode('int main(void) { return 0; }\n') };
  const sources = { headers: [], library: [], project: [main] };
  const { object } = await compile(`${PROJECT}${main.path}`, sources, []);
  if (isWanted()) return;
  const { linked } = await link([object], [], false);
  if (!isWanted()) await symbolize(linked, [1]);
}

let isWanted = false;
let warming: Promise<void> = Promise.resolve();

async function answer(request: ToolchainRequest): Promise<readonly AppResult[]> {
  isWanted = true;
  await warming;
  return new Builder(request).run();
}

// Ctrl-C is told to every program of the terminal; this one ends when whoever asked lets go of it.
process.on('SIGINT', () => {});
// Whoever asked is gone, or needs nothing more.
process.once('disconnect', () => process.exit());
process.on('message', (request) => {
  if (request === WARM_UP) {
    // What goes wrong here goes wrong in the next build, and is told then.
    warming = warmUp(() => isWanted).catch(() => undefined);
    return;
  }
  // The message was made by `run-toolchain.ts` of the same installation, which waits for each answer.
  answer(request as ToolchainRequest).then(
    (results) => process.send?.({ results }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});

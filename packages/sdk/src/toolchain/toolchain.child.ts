import { runClang, runLLVM } from './clang.ts';
import { parseDiagnostics, type Diagnostic } from './diagnostics.ts';
import {
  MEMORY_QUOTA,
  STACK_SIZE,
  type AppJob,
  type AppResult,
  type SourceFile,
  type ToolchainRequest,
} from './job.ts';
import { makeSymbols } from './symbols.ts';
import { stripCustomSections } from './wasm-sections.ts';

/*
 * The toolchain's own process: the compiler takes 600 MB, which go back to the machine when it ends.
 * One message with a ToolchainRequest comes in, one with AppResult[] goes out.
 */

type Tree = { [name: string]: Tree | Uint8Array | string };

const PROJECT = '/app/';
const SDK_INCLUDE = '/sdk/include/';
const SDK_LIBRARY = '/sdk/lib/';
const COMMON = [
  '--target=wasm32-wasip1',
  '-g',
  '-gdwarf-4',
  '-O2',
  '-Wall',
  '-Wextra',
  '-fno-color-diagnostics',
];
const DIALECT = ['-std=gnu11', `-I${SDK_INCLUDE}`];

function plant(tree: Tree, folder: string, files: readonly SourceFile[]): void {
  for (const { path, bytes } of files) {
    const names = `${folder}${path}`.split('/').filter((name) => name !== '');
    const last = names.pop() ?? '';
    let at = tree;
    for (const name of names) {
      const next = at[name] ?? {};
      if (typeof next === 'string' || next instanceof Uint8Array) throw new TypeError(`${name} is a file.`);
      at[name] = next;
      at = next;
    }
    at[last] = bytes;
  }
}

/** Runs a tool over files; gives the files afterwards (null: it failed) and everything it said. */
async function run(
  tool: typeof runClang,
  args: readonly string[],
  files: Tree,
  stdin = '',
): Promise<{ files: Tree | null; output: string }> {
  const chunks: Uint8Array[] = [];
  const take = (bytes: Uint8Array | null): void => {
    if (bytes !== null) chunks.push(new Uint8Array(bytes));
  };
  let input = new TextEncoder().encode(stdin);
  const text = (): string => Buffer.concat(chunks).toString('utf8');
  try {
    const result = await tool([...args], files, {
      stdout: take,
      stderr: take,
      stdin: (length: number) => {
        const part = input.subarray(0, length);
        input = input.subarray(part.length);
        return part.length === 0 ? null : part;
      },
      fetchProgress: () => undefined,
    });
    return { files: result ?? {}, output: text() };
  } catch (error) {
    // The tool ended with an exit code that is not 0; it has said why.
    if (error instanceof Error && 'code' in error) return { files: null, output: text() };
    throw error;
  }
}

function fileAt(files: Tree, name: string): Uint8Array {
  const file = files[name];
  if (!(file instanceof Uint8Array)) throw new TypeError(`The toolchain wrote no ${name}.`);
  return file;
}

class CompileFailure extends Error {
  readonly code: 'CompileFailed' | 'LinkFailed';
  readonly diagnostics: readonly Diagnostic[];
  constructor(code: 'CompileFailed' | 'LinkFailed', output: string) {
    const diagnostics = parseDiagnostics(output, PROJECT);
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    super(errors[0]?.message ?? output.slice(0, 500));
    this.code = code;
    this.diagnostics = diagnostics;
  }
}

async function compile(
  source: string,
  tree: Tree,
  flags: readonly string[],
): Promise<{ object: Uint8Array; warnings: readonly Diagnostic[] }> {
  const { files, output } = await run(
    runClang,
    ['clang', ...COMMON, ...DIALECT, ...flags, '-c', source, '-o', 'out.o'],
    tree,
  );
  if (files === null) throw new CompileFailure('CompileFailed', output);
  return { object: fileAt(files, 'out.o'), warnings: parseDiagnostics(output, PROJECT) };
}

async function link(
  objects: readonly Uint8Array[],
): Promise<{ linked: Uint8Array; warnings: readonly Diagnostic[] }> {
  const tree: Tree = {};
  const names = objects.map((object, index) => {
    tree[`${index}.o`] = object;
    return `${index}.o`;
  });
  const options = [
    // An overflow of the stack runs into the start of memory and traps instead of overwriting data.
    '-Wl,--stack-first',
    `-Wl,-z,stack-size=${STACK_SIZE}`,
    `-Wl,--max-memory=${MEMORY_QUOTA}`,
    '-Wl,--fatal-warnings',
  ];
  const { files, output } = await run(
    runClang,
    ['clang', '--target=wasm32-wasip1', ...names, ...options, '-o', 'out.wasm'],
    tree,
  );
  if (files === null) throw new CompileFailure('LinkFailed', output);
  return { linked: fileAt(files, 'out.wasm'), warnings: parseDiagnostics(output, PROJECT) };
}

// `short`: with linkage names it would look functions up in the symbol table, whose addresses count from elsewhere.
async function symbolize(linked: Uint8Array, addresses: readonly number[]): Promise<string> {
  const { output } = await run(
    runLLVM,
    ['symbolizer', '--obj=out.wasm', '--output-style=LLVM', '--inlines', '--functions=short'],
    { 'out.wasm': linked },
    addresses.map((address) => `0x${address.toString(16)}\n`).join(''),
  );
  return output;
}

/** Paths as a person knows them: the project's own relative, the library's marked as the SDK's. */
function shorten(path: string): string {
  if (path.startsWith(PROJECT)) return path.slice(PROJECT.length);
  return path.startsWith(SDK_LIBRARY) ? `<sdk>/${path.slice(SDK_LIBRARY.length)}` : path;
}

async function build(
  job: AppJob,
  headers: readonly SourceFile[],
  library: readonly Uint8Array[],
): Promise<AppResult> {
  const warnings: Diagnostic[] = [];
  try {
    const objects: Uint8Array[] = [];
    const flags = Object.entries(job.defines).map(([name, value]) => `-D${name}=${value}`);
    for (const { path } of job.files.filter((file) => file.path.endsWith('.c'))) {
      const tree: Tree = {};
      plant(tree, SDK_INCLUDE, headers);
      plant(tree, PROJECT, job.files);
      const compiled = await compile(`${PROJECT}${path}`, tree, [`-I${PROJECT}`, ...flags]);
      objects.push(compiled.object);
      warnings.push(...compiled.warnings);
    }
    const { linked, warnings: linkWarnings } = await link([...objects, ...library]);
    const module = stripCustomSections(linked);
    const symbols = await makeSymbols(linked, module, (addresses) => symbolize(linked, addresses), shorten);
    return { built: { module, ...symbols, warnings: [...warnings, ...linkWarnings] } };
  } catch (error) {
    if (!(error instanceof CompileFailure)) throw error;
    return {
      failed: { code: error.code, message: error.message, diagnostics: [...warnings, ...error.diagnostics] },
    };
  }
}

async function serve({ headers, library, apps }: ToolchainRequest): Promise<readonly AppResult[]> {
  const tree: Tree = {};
  plant(tree, SDK_INCLUDE, headers);
  plant(tree, SDK_LIBRARY, library);
  const objects: Uint8Array[] = [];
  for (const { path } of library.filter((file) => file.path.endsWith('.c'))) {
    objects.push((await compile(`${SDK_LIBRARY}${path}`, { ...tree }, [])).object);
  }
  const results: AppResult[] = [];
  for (const app of apps) results.push(await build(app, headers, objects));
  return results;
}

// Whoever asked is gone, or has its answer.
process.once('disconnect', () => process.exit());
process.once('message', (request) => {
  // The message was made by `run-toolchain.ts` of the same installation.
  serve(request as ToolchainRequest).then(
    (results) => process.send?.({ results }, () => process.disconnect?.()),
    (error: unknown) => process.send?.({ failure: String(error) }, () => process.disconnect?.()),
  );
});

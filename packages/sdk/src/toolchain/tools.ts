import { runClang, runLLVM, type Tool } from './clang.ts';
import { parseDiagnostics, type Diagnostic } from './diagnostics.ts';
import {
  compiledPath,
  MEMORY_QUOTA,
  PROJECT,
  projectPath,
  SDK_INCLUDE,
  SDK_LIBRARY,
  STACK_SIZE,
  type SourceFile,
} from './job.ts';

type Tree = { [name: string]: Tree | Uint8Array | string };

/** What every source is compiled with; part of every cache key. */
export const COMPILE_FLAGS: readonly string[] = [
  '--target=wasm32-wasip1',
  '-g',
  '-gdwarf-4',
  '-O2',
  // A null pointer, an index past the end, a function without its return: they trap where they happen (lib/checks.c).
  '-fsanitize=null,bounds,return,unreachable,vla-bound',
  '-fno-sanitize-recover=all',
  '-fsanitize-minimal-runtime',
  // One call a check: a shared one would say nothing of where.
  '-fno-sanitize-merge',
  '-mllvm',
  '-enable-tail-merge=0',
  '-Wall',
  '-Wextra',
  // Callbacks have the parameters that they have to have.
  '-Wno-unused-parameter',
  // How code around read(), write() and buffers of bytes is written everywhere.
  '-Wno-sign-compare',
  '-Wno-pointer-sign',
  '-fno-color-diagnostics',
  // Where one function has taken in hundreds of loops, strength reduction takes minutes; V8 does its own.
  '-mllvm',
  '-disable-lsr',
  `-I${SDK_INCLUDE}`,
];
const DIALECTS: Readonly<Record<string, readonly string[]>> = {
  // With musl's names that samples use beside ISO C, as C++ has them by itself.
  c: ['-std=gnu11', '-D_GNU_SOURCE='],
  cpp: ['-std=gnu++17', '-fno-exceptions'],
};
export const LINK_FLAGS: readonly string[] = [
  // An overflow of the stack runs into the start of memory and traps instead of overwriting data.
  '-Wl,--stack-first',
  `-Wl,-z,stack-size=${STACK_SIZE}`,
  `-Wl,--max-memory=${MEMORY_QUOTA}`,
  // What a report of its end says of its memory.
  '-Wl,--export=__stack_pointer',
  '-Wl,--export=__heap_base',
  '-Wl,--fatal-warnings',
  // Signal handlers run before these fail with EINTR: lib/interruptible.c.
  ...['read', 'write', 'poll', 'select', 'clock_nanosleep'].map((name) => `-Wl,--wrap=${name}`),
];

/** Endings of sources that are compiled as C++. */
const CPP = /\.(?:cc|cpp|cxx)$/;
/** Whether a file is a source of its own. */
export const isSource = (path: string): boolean => path.endsWith('.c') || CPP.test(path);

/** What compiler and linker said: files of the project by their path in it, all others as the tools know them. */
const diagnosticsIn = (output: string): readonly Diagnostic[] =>
  parseDiagnostics(output, PROJECT).map((said) =>
    said.file === null ? said : { ...said, file: projectPath(said.file) ?? said.file },
  );

/** The compiler or the linker refused. */
export class CompileFailure extends Error {
  readonly code: 'CompileFailed' | 'LinkFailed';
  readonly diagnostics: readonly Diagnostic[];
  constructor(code: 'CompileFailed' | 'LinkFailed', output: string) {
    const diagnostics = diagnosticsIn(output);
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    super(errors[0]?.message ?? output.slice(0, 500));
    this.code = code;
    this.diagnostics = diagnostics;
  }
}

function plant(tree: Tree, folder: string, files: readonly SourceFile[]): void {
  for (const { path, bytes } of files) {
    const planted = folder === PROJECT ? (compiledPath(path) ?? '') : `${folder}${path}`;
    const names = planted.split('/').filter((name) => name !== '');
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
  tool: Tool,
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
    if (error instanceof Error && 'code' in error && typeof error.code === 'number')
      return { files: null, output: text() };
    throw error;
  }
}

function fileAt(files: Tree, name: string): Uint8Array {
  const file = files[name];
  if (!(file instanceof Uint8Array)) throw new TypeError(`The toolchain wrote no ${name}.`);
  return file;
}

/** An object file, and what the compiler said of its source. */
export interface CompiledObject {
  readonly object: Uint8Array;
  readonly warnings: readonly Diagnostic[];
}

/** Files that the compiler sees. */
export interface Sources {
  readonly headers: readonly SourceFile[];
  readonly library: readonly SourceFile[];
  readonly project: readonly SourceFile[];
}

/** Compiles one source, by its absolute path. Throws `CompileFailure`. */
export async function compile(
  source: string,
  { headers, library, project }: Sources,
  flags: readonly string[],
  clang: Tool = runClang,
): Promise<CompiledObject> {
  const tree: Tree = {};
  plant(tree, SDK_INCLUDE, headers);
  plant(tree, SDK_LIBRARY, library);
  plant(tree, PROJECT, project);
  const [driver, dialect] = CPP.test(source) ? ['clang++', 'cpp'] : ['clang', 'c'];
  const { files, output } = await run(
    clang,
    [driver, ...COMPILE_FLAGS, ...(DIALECTS[dialect] ?? []), ...flags, '-c', source, '-o', 'out.o'],
    tree,
  );
  if (files === null) throw new CompileFailure('CompileFailed', output);
  return { object: fileAt(files, 'out.o'), warnings: diagnosticsIn(output) };
}

/** Links an app's objects with what they need of the library. Throws `CompileFailure`. */
export async function link(
  objects: readonly Uint8Array[],
  library: readonly Uint8Array[],
  isCpp: boolean,
  clang: Tool = runClang,
): Promise<{ linked: Uint8Array; warnings: readonly Diagnostic[] }> {
  const tree: Tree = {};
  const plantAll = (prefix: string, all: readonly Uint8Array[]): readonly string[] =>
    all.map((object, index) => {
      const name = `${prefix}${index}.o`;
      tree[name] = object;
      return name;
    });
  const own = plantAll('app', objects);
  // As an archive: an app that brings a function of its own under the same name keeps its own.
  const lazy = ['-Wl,--start-lib', ...plantAll('sdk', library), '-Wl,--end-lib'];
  const { files, output } = await run(
    clang,
    [isCpp ? 'clang++' : 'clang', '--target=wasm32-wasip1', ...own, ...lazy, ...LINK_FLAGS, '-o', 'out.wasm'],
    tree,
  );
  if (files === null) throw new CompileFailure('LinkFailed', output);
  return { linked: fileAt(files, 'out.wasm'), warnings: diagnosticsIn(output) };
}

/** Asks the symbolizer for addresses of the code section; answers in its LLVM style. */
export async function symbolize(linked: Uint8Array, addresses: readonly number[]): Promise<string> {
  // `short`: with linkage names it would look functions up in the symbol table, whose addresses count from elsewhere.
  const { output } = await run(
    runLLVM,
    ['symbolizer', '--obj=out.wasm', '--output-style=LLVM', '--inlines', '--functions=short'],
    { 'out.wasm': linked },
    addresses.map((address) => `0x${address.toString(16)}\n`).join(''),
  );
  return output;
}

/** Files of the tool's world: folders and contents. */
type Tree = { [name: string]: Tree | string | Uint8Array };

/** Runs a tool with its arguments over a tree of files; gives the tree afterwards. Throws when the tool fails. */
export type Tool = (
  args: string[],
  files: Tree,
  options: {
    readonly stdin: (length: number) => Uint8Array | null;
    readonly stdout: (bytes: Uint8Array | null) => void;
    readonly stderr: (bytes: Uint8Array | null) => void;
    readonly fetchProgress: () => void;
  },
) => Promise<Tree | undefined> | Tree | undefined;

// The package's declarations leave out `runClang`, which is the documented way to compile and link.
const tools: unknown = await import('@yowasp/clang');

function tool(name: 'runClang' | 'runLLVM'): Tool {
  const found: unknown = typeof tools === 'object' && tools !== null ? Reflect.get(tools, name) : undefined;
  if (typeof found !== 'function') throw new TypeError(`The compiler package has no ${name}.`);
  return found as Tool;
}

/** clang, which runs the compiler and the linker as needed. */
export const runClang: Tool = tool('runClang');

/** The other tools of LLVM, by name as the first argument. */
export const runLLVM: Tool = tool('runLLVM');

function versionOf(): string {
  const version: unknown =
    typeof tools === 'object' && tools !== null ? Reflect.get(tools, 'version') : undefined;
  if (typeof version !== 'string') throw new TypeError('The compiler package says no version.');
  return version;
}

/** The compiler package's version: part of every cache key, and of an app's bill of materials. */
export const compilerVersion: string = versionOf();

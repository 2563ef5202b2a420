import { createRequire } from 'node:module';

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
const tools = (await import(createRequire(import.meta.url).resolve('@yowasp/clang'))) as {
  readonly runClang: Tool;
  readonly runLLVM: Tool;
};

/** clang, which runs the compiler and the linker as needed. */
export const runClang: Tool = (args, files, options) => tools.runClang(args, files, options);

/** The other tools of LLVM, by name as the first argument. */
export const runLLVM: Tool = (args, files, options) => tools.runLLVM(args, files, options);

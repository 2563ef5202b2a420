import type { SourceFile } from './job.ts';

/** A function that begins at the start of a line and is not the file's own. */
const DEFINITION = /^(?!static\b|typedef\b|#)[A-Za-z_][\w *]*?\b(\w+)\([^;]*?\)\s*\{/gm;
const IDENTIFIER = /[A-Za-z_]\w*/g;
/** Linker (`--wrap`) and compiler (its checks) name functions of these themselves. */
const ALWAYS: readonly string[] = ['checks.c', 'interruptible.c', 'signal.c'];

const text = ({ bytes }: SourceFile): string => new TextDecoder().decode(bytes);

/**
 * The library's sources that an app may need: those that define a name which stands in its files, and what those need
 * in turn. May hold more than the linker takes; holds less only where a name is put together by macros.
 */
export function neededParts(
  library: readonly SourceFile[],
  files: readonly SourceFile[],
): readonly SourceFile[] {
  const parts = library.filter(({ path }) => path.endsWith('.c'));
  const owners = new Map<string, SourceFile>();
  for (const part of parts) {
    for (const [, name = ''] of text(part).matchAll(DEFINITION)) owners.set(name, part);
  }
  const needed = new Set(parts.filter(({ path }) => ALWAYS.includes(path)));
  const waiting: SourceFile[] = [...files, ...needed];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const [name] of text(file).matchAll(IDENTIFIER)) {
      const owner = owners.get(name);
      if (owner === undefined || needed.has(owner)) continue;
      needed.add(owner);
      waiting.push(owner);
    }
  }
  return parts.filter((part) => needed.has(part));
}

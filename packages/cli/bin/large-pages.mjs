// Plain JavaScript: the launcher reads it before any Node has been chosen.

/** What makes glibc's allocator ask for large pages; other systems do not know the name (docs/decisions/0053). */
const ON_LARGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

/**
 * The environment that `sevenfold` with these arguments is better started with: null where the one it has will do,
 * which is so for everything but the service, and for whoever has tuned the allocator by hand.
 * @param {readonly string[]} commandArgs
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {Record<string, string | undefined> | null}
 */
export function betterEnvironment(commandArgs, environment) {
  const isService = commandArgs[0] === 'service' && commandArgs[1] === 'run';
  if (!isService || environment['GLIBC_TUNABLES'] !== undefined) return null;
  return { ...environment, ...ON_LARGE_PAGES };
}

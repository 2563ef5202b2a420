// Plain JavaScript for any Node from 18 on: runs before the right Node has been found.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Oldest Node that runs the sources as they are. */
const OLDEST_MAJOR = 24;

/**
 * The project's own Node where npm brought one for this platform, else the one that runs this if it is new enough,
 * else null. Named by its package: npm 10 takes the link in `.bin` away again with the other platform's package.
 * @returns {string | null}
 */
export function findNode() {
  const own = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(own)) return own;
  return Number(process.versions.node.split('.')[0]) >= OLDEST_MAJOR ? process.execPath : null;
}

/** What to tell a person for whom `findNode` answers null. */
export const NO_NODE = `Node ${process.versions.node} is too old to run the program itself (${OLDEST_MAJOR} or newer is needed), and npm brought none for ${process.platform}-${process.arch}.
Install Node 26, or use Linux on x64 or arm64 (a container or WSL will do).`;

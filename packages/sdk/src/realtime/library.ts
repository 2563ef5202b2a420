import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SdkError } from '../errors.ts';
import { contentKey, ResultCache } from '../toolchain/result-cache.ts';
import type { ArmTools } from './arm-tools.ts';
import { CORE_FLAGS, REAL_TIME_SDK, sdkPrefix } from './core-flags.ts';

/** Archives by the hash of what went into them: a folder of this installation. */
const CACHE = fileURLToPath(new URL('../../../../.cache/objects', import.meta.url));
const READ = /\.[ch]$/;

/** The SDK's library and kernel as one archive, of which the linker takes what a program uses. */
export async function realTimeLibrary(tools: ArmTools): Promise<Uint8Array> {
  const paths = (await readdir(REAL_TIME_SDK, { recursive: true })).filter((path) => READ.test(path)).sort();
  const texts = await Promise.all(paths.map((path) => readFile(join(REAL_TIME_SDK, path))));
  const key = contentKey([tools.version, ...CORE_FLAGS, ...paths, ...texts]);
  const sources = paths.filter((path) => path.endsWith('.c') && /^(?:lib|rtos)\//.test(path));
  return await new ResultCache(CACHE).get(key, () => compileAll(tools, sources));
}

async function compileAll(tools: ArmTools, sources: readonly string[]): Promise<Uint8Array> {
  const cwd = await mkdtemp(join(tmpdir(), 'sevenfold-realtime-'));
  try {
    const include = ['-I', join(REAL_TIME_SDK, 'include')];
    const files = sources.map((path) => join(REAL_TIME_SDK, path));
    // All in one process: each source becomes an object of its own name in the working folder.
    const flags = [...CORE_FLAGS, sdkPrefix, `-ffile-prefix-map=${cwd}=.`];
    const { isDone, messages } = await tools.run('gcc', [...flags, ...include, '-c', ...files], cwd);
    const objects = (await readdir(cwd)).filter((name) => name.endsWith('.o')).sort();
    const archived = isDone ? await tools.run('ar', ['rcD', 'library.a', ...objects], cwd) : null;
    if (archived?.isDone !== true)
      throw new SdkError('ToolchainFailed', `The real-time library does not compile: ${messages}`);
    return new Uint8Array(await readFile(join(cwd, 'library.a')));
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

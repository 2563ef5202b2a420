import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Toolchain } from './run-toolchain.ts';

const CHILDREN = '/proc/thread-self/children';
/** Ids of the processes that this thread has started (proc_pid_task(5)): other tests of this process have theirs. */
const children = (): readonly number[] =>
  readFileSync(CHILDREN, 'utf8').split(' ').filter(Boolean).map(Number);
const NOTHING = { headers: [], library: [], apps: [], cacheDir: tmpdir() };

describe('the compiler’s process', () => {
  it('may be killed between two builds: the next one has another, and nobody waits for its end', async ({
    skip,
  }) => {
    if (!existsSync(CHILDREN)) skip(`this system has no ${CHILDREN}`);
    const before = children();
    const toolchain = new Toolchain();
    await toolchain.run(NOTHING);
    /** Kills what this toolchain has started. */
    const kill = async (): Promise<void> => {
      const [child] = children().filter((id) => !before.includes(id));
      if (child === undefined) throw new Error('The toolchain has no process.');
      process.kill(child, 'SIGKILL');
      await expect.poll(children, { timeout: 20_000, interval: 10 }).not.toContain(child);
    };
    await kill();
    expect(await toolchain.run(NOTHING)).toEqual([]);
    await kill();
    await toolchain[Symbol.asyncDispose]();
  }, 60_000);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockChip } from './chip-lock.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sevenfold-lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the lock of a chip', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    const lock = await lockChip(dir);
    await expect(lockChip(dir)).rejects.toMatchObject({ code: 'ChipInUse' });
    await lock.release();
    const again = await lockChip(dir);
    await again.release();
    expect(await readdir(dir)).toEqual([]);
  });

  it('is taken over from a process that is dead', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await writeFile(join(dir, 'lock'), `${child.pid} 12345\n`);
    await (await lockChip(dir)).release();
  });

  it('is taken over when the dead owner’s id belongs to another process now', async () => {
    await writeFile(join(dir, 'lock'), `${process.pid} 1\n`);
    await (await lockChip(dir)).release();
  });

  it('is not taken over from one that lives', async () => {
    await writeFile(join(dir, 'lock'), `${process.ppid} ${await startOf(process.ppid)}\n`);
    await expect(lockChip(dir)).rejects.toMatchObject({ code: 'ChipInUse' });
  });

  it.each([
    ['a dead owner’s chip', ['lock']],
    ['a chip whose dead owner was about to take it over from another', ['lock', 'lock.turn']],
  ])('goes to exactly one of many who want %s', async (_whose, files) => {
    for (let round = 0; round < 20; round++) {
      for (const file of files) await writeFile(join(dir, file), 'nonsense');
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockChip(dir)));
      const taken = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(taken).toHaveLength(1);
      await taken[0]?.release();
      expect(await readdir(dir)).toEqual([]);
    }
  });
});

async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceError } from './errors.ts';

/** Held while a process has a chip open. */
export interface ChipLock {
  release(): Promise<void>;
}

const LOCK_FILE = 'lock';
let counter = 0;

/** Takes the chip in `dir`. `ChipInUse` if a living process (this one included) has it; a dead one's lock is taken over. */
export function lockChip(dir: string): Promise<ChipLock> {
  return lockFile(join(dir, LOCK_FILE));
}

async function lockFile(path: string): Promise<ChipLock> {
  counter += 1;
  const own = `${path}.${process.pid}.${counter}`;
  // Written beside and linked to its name: a lock is there with its owner, or not at all.
  await writeFile(own, `${process.pid} ${(await startTimeOf(process.pid)) ?? 'unknown'}\n`, { mode: 0o600 });
  try {
    while (!(await linkIfAbsent(own, path))) {
      if (await takeOver(own, path)) break;
    }
  } finally {
    await rm(own, { force: true });
  }
  let isHeld = true;
  return {
    async release() {
      if (!isHeld) return;
      isHeld = false;
      await rm(path, { force: true });
    },
  };
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Puts `own` in the place of a dead owner's lock; false: that one is gone. Who does so holds a lock on doing so: of two
 * who found the same dead owner, the second would remove the first one's new lock.
 */
async function takeOver(own: string, path: string): Promise<boolean> {
  if (!(await isDead(path))) return false;
  const turn = await lockFile(`${path}.turn`);
  try {
    // Looked at again: until now somebody else may have had the turn.
    if (!(await isDead(path))) return false;
    await rename(own, path);
    return true;
  } finally {
    await turn.release();
  }
}

/** Whether a dead process has the lock; false: nobody has it. `ChipInUse` if a living one has. */
async function isDead(path: string): Promise<boolean> {
  const content = await readFile(path, 'utf8').catch(() => null);
  if (content !== null) await requireDead(content);
  return content !== null;
}

async function requireDead(content: string): Promise<void> {
  const [pid, started] = content.trim().split(' ');
  const owner = Number(pid);
  if (!Number.isSafeInteger(owner) || owner <= 0) return;
  if ((await startTimeOf(owner)) !== started) return;
  throw new DeviceError('ChipInUse', `This chip is open in process ${owner}: end that one first.`);
}

/** When a process began, in clock ticks since boot (proc(5)): tells its id from the same id used again. Null: it is dead. */
async function startTimeOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and brackets: fields are counted after its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return isAlive(pid) ? 'unknown' : null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

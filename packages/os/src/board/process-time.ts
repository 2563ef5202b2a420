import { readFile } from 'node:fs/promises';

/** Ticks a second in which Linux tells processor time (`USER_HZ`): 100 on every architecture of ours. */
const TICKS = 100;
/** Processes below one that are looked at: bubblewrap has one child, and that one is the stage. */
const MOST_PROCESSES = 16;

/** The file's text; null: that process is gone, or this is not Linux. */
function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

/**
 * Ms of processor time that a process and those below it have used so far; null where that is not known. Those above
 * see what is in namespaces below them, so a stage behind bubblewrap is counted as well.
 */
export async function processTime(pid: number): Promise<number | null> {
  let ticks: number | null = null;
  const waiting = [pid];
  for (let seen = 0; seen < MOST_PROCESSES; seen++) {
    const next = waiting.shift();
    if (next === undefined) break;
    const stat = await textOf(`/proc/${next}/stat`);
    if (stat === null) continue;
    // proc_pid_stat(5): the name in parentheses may hold anything; utime and stime are the 12th and 13th behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks = (ticks ?? 0) + Number(fields[11]) + Number(fields[12]);
    const children = await textOf(`/proc/${next}/task/${next}/children`);
    waiting.push(...(children?.match(/\d+/g) ?? []).map(Number));
  }
  return ticks === null ? null : (ticks * 1000) / TICKS;
}

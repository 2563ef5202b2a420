import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Figure } from './figure.ts';
import { bareCore, workOn } from './realtime/core.ts';
import { workOnQemu, workOnRp2040 } from './realtime/peers.ts';
import type { WorkRun } from './realtime/work.ts';

const folder = join(import.meta.dirname, 'realtime');
const perSecond = (iterations: number, { seconds }: WorkRun): number => iterations / seconds;
const mips = ({ instructions, seconds }: WorkRun): string =>
  `${(instructions / seconds / 1e6).toFixed(0)} MIPS`;
const ROUNDS = { interpreter: 150, jit: 3000, rp2040: 40, qemu: 3000 };

/** Iterations of the same work in the same run: the two engines of our core beside rp2040js and QEMU's translator. */
function measureWork(): readonly Figure[] {
  const core = bareCore('jit');
  workOn(core, 'm4', 300);
  const jit = workOn(core, 'm4', ROUNDS.jit);
  const slow = bareCore('interpreter');
  workOn(slow, 'm4', 40);
  const interpreter = workOn(slow, 'm4', ROUNDS.interpreter);
  workOnRp2040(10);
  const rp2040 = workOnRp2040(ROUNDS.rp2040);
  const qemu = workOnQemu(ROUNDS.qemu);
  // Same work means same answers.
  const check = workOn(bareCore('jit'), 'm4', ROUNDS.rp2040).answer;
  if (check !== rp2040.answer) throw new Error(`rp2040js answers ${rp2040.answer}, our core ${check}`);
  if (qemu !== null && qemu.answer !== jit.answer) {
    throw new Error(`QEMU answers ${qemu.answer}, our core ${jit.answer}`);
  }
  const ours = perSecond(ROUNDS.jit, jit);
  const plain = perSecond(ROUNDS.interpreter, interpreter);
  const small = perSecond(ROUNDS.rp2040, rp2040);
  const rows: Figure[] = [
    {
      name: 'translated code beside rp2040js 1.3.3',
      measured: `${(ours / small).toFixed(1)} × (${ours.toFixed(0)} iterations/s, ${mips(jit)})`,
      peer: `${small.toFixed(0)} iterations/s, ${mips(rp2040)}`,
      target: '≥ 10 ×',
      isMet: ours >= 10 * small,
    },
    {
      name: 'interpreter beside rp2040js 1.3.3',
      measured: `${(plain / small).toFixed(1)} × (${plain.toFixed(0)} iterations/s, ${mips(interpreter)})`,
      peer: `${small.toFixed(0)} iterations/s`,
      target: '≥ 2 ×',
      isMet: plain >= 2 * small,
    },
  ];
  if (qemu !== null) {
    const theirs = perSecond(ROUNDS.qemu, qemu);
    rows.push({
      name: 'translated code beside QEMU TCG',
      measured: `${(ours / theirs).toFixed(2)} ×`,
      peer: `${theirs.toFixed(0)} iterations/s`,
      target: '≥ 0.5 ×, better 0.7',
      isMet: ours >= 0.5 * theirs,
    });
  }
  return rows;
}

/** The best of some fresh processes: other work on the machine only makes them slower. */
function measureStart(): readonly Figure[] {
  const runs = Array.from({ length: 7 }, () => {
    const run = spawnSync(process.execPath, [join(folder, 'first.child.ts')], { encoding: 'utf8' });
    return JSON.parse(run.stdout) as { first: number; translation: number };
  });
  const first = Math.min(...runs.map((run) => run.first));
  const translation = Math.min(...runs.map((run) => run.translation));
  return [
    {
      name: 'a new core to its first thousand instructions',
      measured: `${first.toFixed(1)} ms`,
      peer: '–',
      target: '≤ 30 ms',
      isMet: first <= 30,
    },
    {
      name: 'hot code of a 60 KB program translated',
      measured: `${translation.toFixed(0)} ms of the core’s thread`,
      peer: '–',
      target: '≤ 150 ms',
      isMet: translation <= 150,
    },
  ];
}

/** Two cores on two workers beside one; and a core that only waits for its timer. */
async function measureTwo(): Promise<readonly Figure[]> {
  const workers = [0, 1].map(() => new Worker(join(folder, 'worker.child.ts')));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const time = async (busy: readonly Worker[]): Promise<number> => {
    const began = performance.now();
    for (const worker of busy) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      worker.postMessage(3000);
    }
    await Promise.all(busy.map((worker) => once(worker, 'message')));
    return performance.now() - began;
  };
  const one = Math.min(await time(workers.slice(0, 1)), await time(workers.slice(0, 1)));
  const two = Math.min(await time(workers), await time(workers));
  for (const worker of workers) await worker.terminate();
  const speedUp = (2 * one) / two;
  return [
    {
      name: 'two cores at full load on two workers beside one',
      measured: `${speedUp.toFixed(2)} ×`,
      peer: '1 ×',
      target: '≥ 1.7 ×',
      isMet: speedUp >= 1.7,
    },
  ];
}

const CLOCK = 197_600_000;

/** CPU that a core takes in which SysTick wakes an idle loop a thousand times a second. */
function measureIdle(): Figure {
  const core = bareCore('jit');
  const vectors = new Int32Array(16);
  vectors[0] = 0x0012_0000;
  vectors[1] = 0x0010_0101;
  vectors[15] = 0x0010_0111;
  core.load(0x0010_0000, new Uint8Array(vectors.buffer));
  // wfi; b .-2 and the handler bx lr.
  core.load(0x0010_0100, Uint8Array.of(0x30, 0xbf, 0xfd, 0xe7));
  core.load(0x0010_0110, Uint8Array.of(0x70, 0x47));
  core.reset();
  core.processor.store(0xe000_e014, 4, CLOCK / 1000 - 1);
  core.processor.store(0xe000_e018, 4, 0);
  core.processor.store(0xe000_e010, 4, 7);
  core.run(CLOCK);
  const began = process.cpuUsage();
  const seconds = 20;
  for (let second = 0; second < seconds; second++) core.run(CLOCK);
  const { user, system } = process.cpuUsage(began);
  const share = (user + system) / 1e6 / seconds;
  return {
    name: 'idle core, woken 1000 times a second',
    measured: `${(100 * share).toFixed(2)} % CPU`,
    peer: '–',
    target: '< 1 %',
    isMet: share < 0.01,
  };
}

/** The real-time cores: how fast they are, how soon, and what they cost asleep. */
export async function measureRealtime(): Promise<readonly Figure[]> {
  return [...measureWork(), ...measureStart(), ...(await measureTwo()), measureIdle()];
}

import type { ServiceContext } from '../service-context.ts';

/** A periodic piece of work. It may run twice (after a crash) and must not mind. Times in ms. */
export interface Job {
  readonly name: string;
  readonly every: number;
  run(now: number): Promise<void>;
}

type JobContext = Pick<ServiceContext, 'store' | 'clock' | 'log'>;

/** How long a run may take before another process may think its holder dead. */
const LEASE = 5 * 60_000;
/** After a failure it is tried again at the latest after this. */
const RETRY = 60_000;

/**
 * Runs what is due, each job by one process at a time: the lease is a row. Answers the names of the jobs that ran to
 * their end. A job that fails is logged and tried again; it stops none of the others.
 */
export async function runDueJobs(
  context: JobContext,
  holder: string,
  jobs: readonly Job[],
): Promise<string[]> {
  const done: string[] = [];
  for (const job of jobs) {
    if (!(await lease(context, holder, job))) continue;
    let pause = job.every;
    try {
      await job.run(context.clock.now());
      done.push(job.name);
    } catch (error) {
      pause = Math.min(job.every, RETRY);
      context.log.error({ job: job.name }, 'a job failed and will be tried again', error);
    }
    await release(context, holder, job, pause);
  }
  return done;
}

function lease({ store, clock }: JobContext, holder: string, job: Job): Promise<boolean> {
  return store.write(async (tx) => {
    const now = clock.now();
    await tx
      .insertInto('jobs')
      .values({ name: job.name, nextRun: now, leasedUntil: 0, holder: '' })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const taken = await tx
      .updateTable('jobs')
      .set({ leasedUntil: now + LEASE, holder })
      .where('name', '=', job.name)
      .where('nextRun', '<=', now)
      .where('leasedUntil', '<=', now)
      .executeTakeFirst();
    return taken.numUpdatedRows === 1n;
  });
}

async function release({ store, clock }: JobContext, holder: string, job: Job, pause: number): Promise<void> {
  await store.write((tx) =>
    tx
      .updateTable('jobs')
      .set({ leasedUntil: 0, nextRun: clock.now() + pause })
      .where('name', '=', job.name)
      .where('holder', '=', holder)
      .execute(),
  );
}

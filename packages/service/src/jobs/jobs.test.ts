import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestService, type TestService } from '../test-service.ts';
import { runDueJobs, type Job } from './jobs.ts';

describe('jobs', () => {
  let service: TestService;
  let runs: number[];
  let job: Job;
  beforeEach(async () => {
    service = await openTestService();
    runs = [];
    job = {
      name: 'sweep',
      every: 1000,
      run: async (now) => {
        runs.push(now);
      },
    };
  });
  afterEach(() => service.close());

  it('run when they are due, and not before', async () => {
    const start = service.clock.now();
    expect(await runDueJobs(service, 'one', [job])).toEqual(['sweep']);
    expect(await runDueJobs(service, 'one', [job])).toEqual([]);
    service.clock.advance(1000);
    expect(await runDueJobs(service, 'two', [job])).toEqual(['sweep']);
    expect(runs).toEqual([start, start + 1000]);
  });

  it('run in one process at a time, and elsewhere once their holder is long gone', async () => {
    let elsewhere: string[] | undefined;
    const slow: Job = {
      ...job,
      run: async () => {
        elsewhere = await runDueJobs(service, 'two', [job]);
      },
    };
    await runDueJobs(service, 'one', [slow]);
    expect(elsewhere).toEqual([]);
  });

  it('are tried again soon after a failure, which stops no other job', async () => {
    const failing: Job = {
      ...job,
      name: 'failing',
      every: 3_600_000,
      run: () => Promise.reject(new Error('no')),
    };
    expect(await runDueJobs(service, 'one', [failing, job])).toEqual(['sweep']);
    service.clock.advance(60_000);
    const mended: Job = { ...job, name: 'failing' };
    expect(await runDueJobs(service, 'one', [mended])).toEqual(['failing']);
  });
});

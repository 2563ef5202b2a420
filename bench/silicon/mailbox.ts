import { Worker } from 'node:worker_threads';
import { bundleStageWorker } from '@sevenfold/device';
import { utf8Encode, type StageName } from '@sevenfold/formats';
import { hostClock, settableClock } from '../../packages/os/src/board/host-clock.ts';
import type { LoadedStage } from '../../packages/os/src/board/stage-loader.ts';
import { threadLoader } from '../../packages/os/src/board/thread-loader.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';

const ROUNDS = 20_000;
const MOST_TIMES_PING = 1.5;

/** Below answers; above calls as often as it is told, one call after the other. */
const BELOW = `globalThis.stage = { async start(h) { h.serve(async () => null); } };`;
const ABOVE = `globalThis.stage = { async start(h) { h.serve(async (caller, method, [rounds]) => {
  for (let n = 0; n < rounds; n++) await h.ports.pluton.call('ping');
  return null;
}); } };`;

/** The same between two bare threads over a channel of their own: a number there, a number back. */
const BARE = `const { parentPort } = require('node:worker_threads');
parentPort.on('message', ({ port, rounds }) => {
  if (port !== undefined) {
    globalThis.port = port;
    if (rounds === undefined) port.on('message', (n) => port.postMessage(n));
    return;
  }
  let left = rounds;
  globalThis.port.removeAllListeners('message');
  globalThis.port.on('message', () => { if (--left > 0) globalThis.port.postMessage(left); else parentPort.postMessage(0); });
  globalThis.port.postMessage(left);
});`;

/** Microseconds of a mailbox round trip between two stages in threads, beside an empty ping over the same primitive. */
export async function measureMailbox(): Promise<Figure> {
  const loader = threadLoader(await bundleStageWorker());
  const start = async (
    stage: StageName,
    source: string,
    ports: Parameters<typeof loader.start>[0]['ports'],
  ): Promise<LoadedStage> =>
    loader.start(
      { stage, bundle: utf8Encode(source), ports, clock: settableClock(hostClock()), log: () => {} },
      () => {},
    );
  const below = await start('pluton', BELOW, {});
  const above = await start('monitor', ABOVE, { pluton: { stage: below, caller: 'monitor' } });
  const port = above.portFor('bench');

  const { port1, port2 } = new MessageChannel();
  const bare = [port1, port2].map(() => new Worker(BARE, { eval: true }));
  const [pinging, echoing] = bare;
  pinging?.postMessage({ port: port1, rounds: 0 }, [port1 as never]);
  echoing?.postMessage({ port: port2 }, [port2 as never]);
  const ping = (): Promise<unknown> =>
    new Promise((resolve) => {
      pinging?.once('message', resolve);
      pinging?.postMessage({ rounds: ROUNDS }, []);
    });

  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return ((performance.now() - began) * 1000) / ROUNDS;
  };
  const pairs = await alternate(
    () => timed(() => port.call('run', ROUNDS)),
    () => timed(ping),
  );
  await above.stop();
  await below.stop();
  await Promise.all(bare.map((worker) => worker.terminate()));
  const { ours, theirs, ratio } = compare(pairs, (each) => each);
  return {
    name: 'mailbox round trip between two stages in threads',
    measured: `${ours.toFixed(1)} µs, ${ratio.toFixed(2)} ×`,
    peer: `empty ping ${theirs.toFixed(1)} µs`,
    target: `≤ ${MOST_TIMES_PING} ×`,
    isMet: ratio <= MOST_TIMES_PING,
  };
}

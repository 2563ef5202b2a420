import { spawn } from 'node:child_process';
import type { VirtualDevice } from '@sevenfold/device';
import type { BuiltApp } from '@sevenfold/sdk';
import type { Figure } from '../figure.ts';
import { quantile } from '../pairs.ts';
import { lineOf } from './device.ts';

const ROUNDS = 21;
const MOST_MILLISECONDS = 60;

/** Ms from asking the kernel for an installed app to the first line of its `main`. */
async function startApp(device: VirtualDevice, { componentId }: BuiltApp): Promise<number> {
  await device.gateway.call('appRemoved', componentId);
  const main = lineOf(device, /: main$/);
  const begun = performance.now();
  await device.gateway.call('appInstalled', componentId);
  return (await main).at - begun;
}

/** Ms that a program takes from `spawn` to its end; null where it is not there or fails. */
function run(program: string, args: readonly string[]): Promise<number | null> {
  const begun = performance.now();
  return new Promise((resolve) => {
    spawn(program, args, { stdio: 'ignore' })
      .on('error', () => resolve(null))
      .on('close', (code) => resolve(code === 0 ? performance.now() - begun : null));
  });
}

/** From an installed image to `main`, beside an empty Node and bubblewrap in turn. */
export async function measureStart(device: VirtualDevice, app: BuiltApp): Promise<Figure> {
  const ours: number[] = [];
  const peers: { readonly name: string; readonly args: [string, readonly string[]]; times: number[] }[] = [
    { name: 'node', args: [process.execPath, ['-e', '']], times: [] },
    {
      name: 'bwrap',
      args: ['bwrap', ['--ro-bind', '/', '/', '--unshare-all', '--die-with-parent', '/bin/true']],
      times: [],
    },
  ];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await startApp(device, app));
    for (const peer of peers) {
      const time = await run(...peer.args);
      if (time !== null) peer.times.push(time);
    }
  }
  const median = quantile(ours, 0.5);
  const beside = peers.map(({ name, times }) =>
    times.length === 0 ? `${name} not here` : `${name} ${quantile(times, 0.5).toFixed(1)} ms`,
  );
  return {
    name: 'start of a compartment, installed image to main',
    measured: `${median.toFixed(1)} ms (95 % within ${quantile(ours, 0.95).toFixed(1)})`,
    peer: beside.join(', '),
    target: `≤ ${MOST_MILLISECONDS} ms median`,
    isMet: median <= MOST_MILLISECONDS,
  };
}

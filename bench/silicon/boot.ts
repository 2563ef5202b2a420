import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildOsRelease, bundleStageWorker, manufacture } from '@sevenfold/device';
import { SYSTEM_IMAGE_TYPES } from '@sevenfold/formats';
import { makeSigner } from '../compartments/device.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';
import { bundleProgram } from './program.ts';

const MOST_TIMES_NODE = 8;
const MOST_MEGABYTES = 40;

/** A process: ms from its start to its first line (or its end, where it says nothing), and its lines. */
interface Seen {
  readonly milliseconds: number;
  readonly lines: readonly string[];
}

function watch(args: readonly string[]): Promise<Seen> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let first: number | null = null;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      first ??= performance.now() - began;
      output += text;
    });
    child.on('error', reject).on('close', (code) => {
      if (code !== 0) return reject(new Error(`${args.join(' ')} ended with ${code}: ${output}`));
      resolve({ milliseconds: first ?? performance.now() - began, lines: output.trim().split('\n') });
    });
  });
}

async function boot(args: readonly string[]): Promise<Seen> {
  const seen = await watch(args);
  if (seen.lines[0] !== 'running') throw new Error(`The device did not boot: ${seen.lines.join(' ')}`);
  return seen;
}

/** A cold boot, a new process each, beside an empty Node; and its memory beside Node with as many empty threads. */
export async function measureBoot(scratch: string): Promise<readonly Figure[]> {
  const platform = makeSigner();
  const release = await buildOsRelease({
    version: '26.11.0',
    root: makeSigner(),
    platform,
    keystore: {
      version: 1,
      keys: [{ spki: platform.spki, uses: SYSTEM_IMAGE_TYPES.map((type) => `image:${type}`) }],
    },
    certStore: {
      endpoints: [{ host: 'devices.example', port: 7443, serverName: 'devices.example' }],
      tlsRoots: [Uint8Array.of(0x30, 0)],
    },
  });
  const dir = join(scratch, 'chip');
  await manufacture({ dir, images: release.images, rootKeyHash: release.rootKeyHash });
  const program = await bundleProgram('boot.child.ts', scratch);
  const empty = await bundleProgram('empty-threads.child.ts', scratch);
  const stageWorker = join(scratch, 'stage-worker.cjs');
  writeFileSync(stageWorker, await bundleStageWorker());

  const times = await alternate(
    () => boot([program, dir, stageWorker]),
    () => watch(['-e', '']),
  );
  const time = compare(times, ({ milliseconds }) => milliseconds);
  const megabytes = ({ lines }: Seen): number => (Number(lines[1]) * 1024) / 1e6;
  const sizes = await alternate(
    () => boot([program, dir, stageWorker, 'stay']),
    () => watch([empty]),
  );
  const size = compare(sizes, megabytes);
  const above = size.ours - size.theirs;
  rmSync(dir, { recursive: true });
  return [
    {
      name: 'cold boot by threads: from the start of a process to running services',
      measured: `${time.ours.toFixed(0)} ms, ${time.ratio.toFixed(1)} ×`,
      peer: `empty Node ${time.theirs.toFixed(0)} ms`,
      target: `≤ ${MOST_TIMES_NODE} ×`,
      isMet: time.ratio <= MOST_TIMES_NODE,
    },
    {
      name: 'memory of the booted device (resident)',
      measured: `${size.ours.toFixed(0)} MB, ${above.toFixed(1)} above`,
      peer: `Node with four empty threads ${size.theirs.toFixed(0)} MB`,
      target: `≤ ${MOST_MEGABYTES} MB above`,
      isMet: above <= MOST_MEGABYTES,
    },
  ];
}

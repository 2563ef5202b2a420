import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildApps } from '@sevenfold/sdk';
import { measureCalls } from './compartments/calls.ts';
import { measureDay } from './compartments/day.ts';
import { measureDelay } from './compartments/delay.ts';
import { buildRelease, deviceWith, makeSigner } from './compartments/device.ts';
import { measureDeveloper } from './compartments/developer.ts';
import { measureLoop } from './compartments/loop.ts';
import { measureMemory } from './compartments/memory.ts';
import { measureStart } from './compartments/start.ts';
import type { Figure } from './figure.ts';

/** What a compartment costs: to start, to keep, to call out of, to compute in. */
export async function measureCompartments(): Promise<readonly Figure[]> {
  const signer = makeSigner();
  const folder = (name: string): string => join(import.meta.dirname, 'compartments', name);
  progress('building the apps');
  const [idle, calls, loop, timers] = await buildApps(
    ['idle', 'calls', 'loop', 'timers'].map((name) => ({ sourceDir: folder(name), signer })),
  );
  if (idle === undefined || calls === undefined || loop === undefined || timers === undefined)
    throw new Error('The SDK built nothing.');
  const scratch = mkdtempSync(join(tmpdir(), 'sevenfold-bench-'));
  const release = await buildRelease(signer);
  const device = await deviceWith(
    release,
    [idle, calls, loop].map(({ imagePackage }) => imagePackage),
  );
  const figures: Figure[] = [];
  try {
    await device.boot();
    for (const app of [calls, loop]) await device.gateway.call('appRemoved', app.componentId);
    progress('starting');
    figures.push(await measureStart(device, idle));
    progress('calling');
    figures.push(...(await measureCalls(device, calls)));
    progress('computing');
    figures.push(await measureLoop(device, loop, scratch));
  } finally {
    await device.close();
  }
  progress('calling beside apps that spin');
  figures.push(await measureDelay(release, signer));
  progress('keeping idle apps');
  figures.push(await measureMemory(idle));
  progress('a day of twenty apps');
  figures.push(await measureDay(timers));
  progress('building and running as a developer does');
  try {
    figures.push(...(await measureDeveloper(scratch)));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return figures;
}

function progress(text: string): void {
  process.stderr.write(`${text} …\n`);
}

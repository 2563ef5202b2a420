import { readFileSync } from 'node:fs';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { makeSigner } from './device.ts';
import { packIdle } from './idle-apps.ts';

/** Runs twenty apps for a day of virtual time; prints heap (bytes) after the first hour and the last, and their last words. */
const APPS = 20;
const HOUR = 3_600_000;
const HOURS = 24;
const module = readFileSync(0);
const signer = makeSigner();
const world = await KernelWorld.boot();
for (let index = 0; index < APPS; index++) {
  const componentId = `0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f1${String(index).padStart(3, '0')}`;
  world.installPackage(componentId, await packIdle(module, index, signer));
  await world.services('appInstalled', componentId);
}

function heap(): number {
  // The world keeps every line and every name of a call for its tests: that is no memory of the device.
  world.log.splice(0, Math.max(0, world.log.length - APPS));
  world.monitorCalls.length = 0;
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const first: number[] = [];
const last: number[] = [];
for (let hour = 1; hour <= HOURS; hour++) {
  await world.clock.advance(HOUR);
  if (hour <= 3) first.push(heap());
  else if (hour > HOURS - 3) last.push(heap());
}
const lines = world.log.slice(-APPS);
process.stdout.write(
  `${JSON.stringify({ first: Math.min(...first), last: Math.min(...last), lines, reports: world.reports.length })}\n`,
);
process.exit(0);

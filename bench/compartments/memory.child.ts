import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { buildRelease, deviceWith, lineOf, makeSigner } from './device.ts';
import { packIdle } from './idle-apps.ts';

/** Boots a device with so many idle apps and prints the process's private memory in KiB, once it is quiet. */
const apps = Number(process.argv[2]);
const module = readFileSync(0);
const signer = makeSigner();
const packages = await Promise.all(
  Array.from({ length: apps }, (_, index) => packIdle(module, index, signer)),
);
const device = await deviceWith(await buildRelease(signer), packages);
const all = Array.from({ length: apps }, (_, index) => lineOf(device, new RegExp(`app idle${index}: main$`)));
await device.boot();
await Promise.all(all);
await pause(3000);
const [, kib] = /^Private_Dirty:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? [];
process.stdout.write(`${kib ?? 'NaN'}\n`);
await device.close();

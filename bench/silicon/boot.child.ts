import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { openDevice } from '../../packages/device/src/device.ts';

/**
 * Opens the chip of a folder, boots it by threads, and says so at once; with `stay`, then prints the process's
 * resident memory in KiB once it is quiet.
 */
const [, , dir = '', programPath = '', stay] = process.argv;
const device = await openDevice({
  dir,
  wiring: 'thread',
  network: { resolve: () => null },
  stageWorker: readFileSync(programPath, 'utf8'),
});
const { kind } = await device.boot();
process.stdout.write(`${kind}\n`);
if (stay !== undefined) {
  await pause(1500);
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  process.stdout.write(`${kib ?? 'NaN'}\n`);
}
await device.close();
process.exit(0);

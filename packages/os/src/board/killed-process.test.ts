import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';
import { CHIP_SKUS } from '@sevenfold/formats';
import { fileFlash, fileFuses, insecureSeededEntropy, openChip, provisionFlash } from '@sevenfold/silicon';
import { makeDevice } from './testing/device.fixture.ts';
import { APP_COMPONENT, makeApp, makeRelease, rootKeyHash } from './testing/release.fixture.ts';

const folder = await mkdtemp(join(tmpdir(), 'killed-'));
afterAll(() => rm(folder, { recursive: true }));

const parts = () => ({ flash: fileFlash(join(folder, 'flash')), fuses: fileFuses(join(folder, 'fuses')) });
const apps = { even: makeApp('blink 1', 9000), odd: makeApp('blink 2', 30_000) };

/** Runs the device in a process of its own until it has said `rounds` times that a round is safe, and kills it. */
async function runAndKill(rounds: number): Promise<number> {
  const program = join(import.meta.dirname, 'testing/killed-device.fixture.ts');
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => child.once('close', resolve));
  let last = -1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last + 1 >= rounds) child.kill('SIGKILL');
  }
  await closed;
  return last;
}

describe('a device whose process is killed in the midst of its work', () => {
  it('comes up again with all that was acknowledged, as after a power cut', async () => {
    const factory = openChip({ ...parts(), entropy: insecureSeededEntropy('factory') });
    factory.powerOn();
    factory.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash });
    provisionFlash(factory.flash, await makeRelease());
    factory.close();
    await Promise.all(Object.entries(apps).map(([name, bytes]) => writeFile(join(folder, name), bytes)));
    for (const rounds of [1, 2, 3, 5, 8]) {
      const last = await runAndKill(rounds);
      expect(last).toBeGreaterThanOrEqual(rounds - 1);
      const device = makeDevice(parts());
      expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
      const app = Buffer.from((await device.call('loadApplication', APP_COMPONENT)) as Uint8Array);
      expect([apps.even, apps.odd].some((one) => app.equals(one))).toBe(true);
      // The last round that was acknowledged, or the one in which the process died.
      const content = (await device.call('mutableRead', APP_COMPONENT)) as Uint8Array;
      expect([last, last + 1]).toContain(content[0]);
      expect(content).toEqual(new Uint8Array(9000).fill(content[0] ?? 0));
      const records = (await device.call('recordList', 1000)) as readonly {
        id: number;
        record: Uint8Array;
      }[];
      expect(records.every(({ record }) => record.length === 600 && new Set(record).size === 1)).toBe(true);
      const newest = records.findLast(({ record }) => record[0] === last);
      expect(newest).toBeDefined();
      await device.call(
        'recordRemove',
        records.map(({ id }) => id),
      );
      device.chip.close();
      await device.board.powerOff();
    }
  }, 60_000);
});

import { describe, expect, it } from 'vitest';
import { parseImagePackage } from '@sevenfold/formats';
import type { Fault } from '@sevenfold/silicon';
import {
  activeNames,
  copyBits,
  makeDevice,
  manufactureBits,
  settled,
  stage,
  type ChipBits,
  type TestDevice,
} from './testing/device.fixture.ts';
import { APP_COMPONENT, makeApp, makeRelease, makeSystemImage } from './testing/release.fixture.ts';

/** With SEVENFOLD_DEPTH every operation is cut, and recovery as well; without, a sample of them. */
const IS_DEEP = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0;
const SECOND_CUTS = IS_DEEP ? 4 : 0;
const TIMEOUT = IS_DEEP ? 900_000 : 60_000;

interface Path {
  readonly before: ChipBits;
  /** Does the whole thing once; rejects where power goes. */
  run(device: TestDevice): Promise<void>;
  /** Which of the allowed states a booted device is in; anything else is a failure. */
  state(device: TestDevice): Promise<'old' | 'new'>;
}

async function updatePath(): Promise<Path> {
  const services = await makeSystemImage('Services', { version: '2.0.0', securityVersion: 2 });
  return {
    before: manufactureBits(await makeRelease()),
    async run(device) {
      await device.board.powerOn();
      await device.call('commit', [await stage(device, services)], []);
      await device.call('restart').catch(() => {});
      await settled(device);
      await device.call('confirmHealthy');
    },
    async state(device) {
      const names = await activeNames(device);
      expect(names).toMatchObject({ PlutonRuntime: 'pluton 1.0.0', NormalWorldKernel: 'kernel 1.0.0' });
      const isNew = names['Services'] === 'services 2.0.0';
      if (!isNew) expect(names['Services']).toBe('services 1.0.0');
      const info = (await device.call('bootInfo')) as { trial: boolean };
      // The counter never runs ahead of what is confirmed.
      const counter = device.chip.fuses.securityVersion('Services');
      expect(counter).toBeLessThanOrEqual(isNew && !info.trial ? 2 : 1);
      return isNew ? 'new' : 'old';
    },
  };
}

async function applicationPath(): Promise<Path> {
  const [first, second] = [makeApp('blink 1', 6000), makeApp('blink 2', 6000)];
  const before = manufactureBits(await makeRelease());
  const factory = makeDevice(before);
  await factory.board.powerOn();
  await factory.call('commit', [await stage(factory, first)], []);
  await factory.board.powerOff();
  return {
    before,
    async run(device) {
      await device.board.powerOn();
      await device.call('commit', [await stage(device, second)], []);
      // What follows may destroy nothing that was committed.
      await stage(device, makeApp('blink 3', 6000));
    },
    async state(device) {
      const bytes = (await device.call('loadApplication', APP_COMPONENT)) as Uint8Array;
      const isNew = Buffer.compare(bytes, second) === 0;
      if (!isNew) expect(bytes).toEqual(first);
      return isNew ? 'new' : 'old';
    },
  };
}

/** Operations on flash and fuses that the whole path takes. */
async function count(path: Path): Promise<number> {
  const device = makeDevice(copyBits(path.before));
  device.chip.power.layPlan([]);
  await path.run(device);
  const { operations } = device.chip.power;
  await device.board.powerOff();
  return operations;
}

/** Runs the path into a fault, and boots again; `second` cuts that boot, too. */
async function cut(path: Path, fault: Fault, second: Fault | null): Promise<'old' | 'new'> {
  const device = makeDevice(copyBits(path.before));
  device.chip.power.layPlan([fault]);
  await path.run(device).catch(() => {});
  await settled(device);
  expect(device.board.state).toBe('off');
  device.chip.power.layPlan(second === null ? [] : [second]);
  await device.board.powerOn();
  if (device.board.state === 'off') {
    device.chip.power.layPlan([]);
    await device.board.powerOn();
  }
  expect(device.board.lastOutcome, device.board.bootLog.join('\n')).toMatchObject({ kind: 'running' });
  const state = await path.state(device);
  await device.board.powerOff();
  return state;
}

describe.each([
  ['an update of the system: stage, commit, restart, confirm', updatePath],
  ['an update of an app', applicationPath],
])('power cut at any operation of %s', (_what, makePath) => {
  it.each(['clean', 'torn'] as const)(
    '(%s) leaves the old or the new state, whole',
    async (kind) => {
      const path = await makePath();
      const operations = await count(path);
      expect(operations).toBeGreaterThan(40);
      const step = IS_DEEP ? 1 : Math.ceil(operations / 20);
      const seen: string[] = [];
      for (let at = kind === 'torn' ? Math.floor(step / 2) : 0; at < operations; at += step) {
        seen.push(await cut(path, { at, kind, seed: at }, null));
        // Recovery writes little: its first operations are where a second cut could hurt.
        for (let again = 0; again < SECOND_CUTS; again++) {
          await cut(
            path,
            { at, kind, seed: at + 1000 },
            { at: again, kind: again % 2 === 0 ? 'torn' : 'clean', seed: at },
          );
        }
      }
      // First old, then new, with no way back: a commit is one moment.
      expect(seen.join(' ')).toMatch(/^(old )+(new ?)+$/);
    },
    TIMEOUT,
  );

  it('can be taken up again after the cut and ends the same', async () => {
    const path = await makePath();
    const operations = await count(path);
    for (let at = 3; at < operations; at += IS_DEEP ? 7 : Math.ceil(operations / 6)) {
      const device = makeDevice(copyBits(path.before));
      device.chip.power.layPlan([{ at, kind: 'torn', seed: at }]);
      await path.run(device).catch(() => {});
      await settled(device);
      device.chip.power.layPlan([]);
      await device.board.powerOn();
      // A trial that was cut short is confirmed first, as the services would.
      await device.call('confirmHealthy');
      if ((await path.state(device)) === 'old') await path.run(device);
      expect(await path.state(device)).toBe('new');
      await device.board.powerOff();
    }
  });
});

describe('power cut at any operation of a trial that fails', () => {
  const kernel = `globalThis.stage = { async start() { throw new Error('this kernel does not come up'); } };`;

  it.each(['clean', 'torn'] as const)(
    '(%s) ends with the old system, which knows what it left as soon as it was committed',
    async (kind) => {
      const before = manufactureBits(await makeRelease());
      const image = await makeSystemImage('NormalWorldKernel', { version: '2.0.0', kernel });
      const { imageId } = parseImagePackage(image).fields;
      const run = async (device: TestDevice): Promise<void> => {
        await device.board.powerOn();
        await device.call('commit', [await stage(device, image)], []);
        await device.call('restart').catch(() => {});
        await settled(device);
        // Forgetting it would be the work of the next commit.
        await device.call('commit', [await stage(device, makeApp('blink'))], []);
      };
      const whole = makeDevice(copyBits(before));
      await run(whole);
      const { operations } = whole.chip.power;
      await whole.board.powerOff();
      const seen: string[] = [];
      const step = IS_DEEP ? 1 : Math.ceil(operations / 25);
      for (let at = kind === 'torn' ? Math.floor(step / 2) : 0; at < operations; at += step) {
        const device = makeDevice(copyBits(before));
        device.chip.power.layPlan([{ at, kind, seed: at * 3 }]);
        await run(device).catch(() => {});
        await settled(device);
        expect(device.board.state).toBe('off');
        device.chip.power.layPlan([]);
        await device.board.powerOn();
        expect(device.board.lastOutcome, device.board.bootLog.join('\n')).toMatchObject({ kind: 'running' });
        expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 1.0.0' });
        const { trial, left } = (await device.call('bootInfo')) as { trial: boolean; left: string[][] };
        expect(trial, `cut at ${at}`).toBe(false);
        seen.push(left.length === 0 ? 'none' : left[0]?.[0] === imageId ? 'left' : 'other');
        await device.board.powerOff();
      }
      expect(seen.join(' ')).toMatch(/^(none )+(left ?)+$/);
    },
    TIMEOUT,
  );
});

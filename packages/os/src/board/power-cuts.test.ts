import { describe, expect, it } from 'vitest';
import { parseImagePackage } from '@sevenfold/formats';
import {
  activeNames,
  copyBits,
  makeDevice,
  manufactureBits,
  settled,
  stage,
  type TestDevice,
} from './testing/device.fixture.ts';
import { applicationPath, keyRotationPath, systemUpdatePath } from './testing/power-cut-paths.fixture.ts';
import { sweepPowerCuts, tellPowerCuts, type PowerCutPath } from './testing/power-cuts.fixture.ts';
import { makeApp, makeRelease, makeSystemImage } from './testing/release.fixture.ts';

/** With SEVENFOLD_DEPTH more second cuts, and more of what is sampled. */
const IS_DEEP = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0;
const TIMEOUT = 900_000;

/** Operations on flash and fuses that the whole path takes. */
async function count(path: PowerCutPath): Promise<number> {
  const device = makeDevice(copyBits(path.before));
  device.chip.power.layPlan([]);
  await path.run(device, () => {});
  const { operations } = device.chip.power;
  await device.board.powerOff();
  return operations;
}

/** Which states a path goes through, in order, with cuts between its operations. */
const PATHS: readonly (readonly [string, () => Promise<PowerCutPath>, readonly string[]])[] = [
  ['an update of the system', systemUpdatePath, ['old', 'trial', 'new']],
  ['an update of an app', applicationPath, ['old', 'new']],
  ['a rotation of the platform key', keyRotationPath, ['old', 'trial', 'keys', 'image']],
];

describe('a power cut at every operation', () => {
  it.each(PATHS)(
    'of %s, clean and torn, and again in the boot after it, leaves one of its states, whole',
    async (_name, makePath, states) => {
      const figures = await sweepPowerCuts(await makePath(), {
        secondCuts: IS_DEEP ? 4 : 1,
        secondEvery: IS_DEEP ? 1 : 3,
      });
      tellPowerCuts(figures);
      // Each state begins once, and there is no way back: a commit is one moment.
      expect(figures.states).toEqual(states);
      expect(figures.cases).toBeGreaterThanOrEqual(2 * figures.operations);
    },
    TIMEOUT,
  );

  it('of an update leaves the same with the fault in the live run, and can be taken up again', async () => {
    for (const makePath of [systemUpdatePath, applicationPath]) {
      const path = await makePath();
      const operations = await count(path);
      for (let at = 3; at < operations; at += IS_DEEP ? 7 : Math.ceil(operations / 6)) {
        const device = makeDevice(copyBits(path.before));
        device.chip.power.layPlan([{ at, kind: 'torn', seed: at }]);
        const acknowledged = new Set<string>();
        await path.run(device, (what) => acknowledged.add(what)).catch(() => {});
        await settled(device);
        expect(device.board.state).toBe('off');
        device.chip.power.layPlan([]);
        const state = await path.judge(device, acknowledged);
        await device.board.powerOff();
        if (state === 'old') await path.run(device, (what) => acknowledged.add(what));
        await device.board.powerOff();
        expect(await path.judge(device, acknowledged)).toBe('new');
        await device.board.powerOff();
      }
    }
  });

  it(
    'of an update leaves the same where each layer is a thread',
    async () => {
      const path = await systemUpdatePath();
      const operations = await count(path);
      const figures = await sweepPowerCuts(path, {
        every: Math.floor(operations / 25),
        secondCuts: 0,
        wiring: 'thread',
      });
      tellPowerCuts({ ...figures, name: `${path.name}, by threads` });
      expect(figures.cases).toBeGreaterThanOrEqual(50);
      expect([figures.states[0], figures.states.at(-1)]).toEqual(['old', 'new']);
      // And cut while the threads run.
      for (const [cut, at] of [Math.floor(operations / 3), operations - 2].entries()) {
        const device = makeDevice(copyBits(path.before), 'thread');
        device.chip.power.layPlan([{ at, kind: cut === 0 ? 'torn' : 'clean', seed: cut }]);
        const acknowledged = new Set<string>();
        await path.run(device, (what) => acknowledged.add(what)).catch(() => {});
        await device.board.powerOff();
        device.chip.power.layPlan([]);
        expect(['old', 'trial', 'new'], `cut at ${at}`).toContain(await path.judge(device, acknowledged));
        await device.board.powerOff();
      }
    },
    TIMEOUT,
  );
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

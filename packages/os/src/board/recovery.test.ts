import { describe, expect, it } from 'vitest';
import { FLASH_MAP, FLASH_SECTOR, SYSTEM_IMAGE_TYPES } from '@sevenfold/formats';
import { memoryFlash, type Chip } from '@sevenfold/silicon';
import {
  activeNames,
  blankBits,
  copyBits,
  makeDevice,
  manufactureBits,
  stage,
  type ChipBits,
  type TestDevice,
} from './testing/device.fixture.ts';
import {
  APP_COMPONENT,
  keys,
  makeApp,
  makeRelease,
  makeSystemImage,
  revocationOf,
  type ReleaseVariant,
} from './testing/release.fixture.ts';
import { randomBits } from './testing/random-bits.fixture.ts';

const IS_DEEP = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0;
const factory = makeRelease().then((release) => ({ release, bits: manufactureBits(release) }));

const setOf = async (variant: ReleaseVariant = {}): Promise<Uint8Array[]> =>
  (await makeRelease(variant)).map((image) => image.package);

/** A chip of the factory whose flash holds random bytes. */
function randomised(bits: ChipBits, seed: number): ChipBits {
  const flash = memoryFlash();
  const random = randomBits(seed);
  for (let at = 0; at < flash.size; at += FLASH_SECTOR) flash.write(at, random(FLASH_SECTOR));
  return { flash, fuses: bits.fuses.copy() };
}

const flashOf = (chip: Chip): Uint8Array => {
  chip.powerOn();
  const bytes = chip.flash.read(0, chip.flash.size);
  chip.powerOff();
  return bytes;
};

async function withApp(bits: ChipBits): Promise<TestDevice> {
  const device = makeDevice(bits);
  await device.board.powerOn();
  await device.call('commit', [await stage(device, makeApp('blink'))], []);
  await device.call('mutableWrite', APP_COMPONENT, new Uint8Array(9000));
  await device.call('recordAppend', new Uint8Array(100));
  return device;
}

describe('a device whose flash is random bytes', () => {
  it('says that it waits for a recovery set, and runs the system of the set that it gets', async () => {
    const { bits, release } = await factory;
    const device = makeDevice(randomised(bits, 1));
    expect(await device.board.powerOn()).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
    expect(device.board.bootLog.at(-1)).toBe(
      '[BOARD] recovery mode: the service port takes a signed recovery set',
    );
    const before = makeDevice(copyBits(bits));
    await before.board.powerOn();
    const { deviceId } = (await before.call('identity')) as { deviceId: string };
    await before.board.powerOff();

    expect(await device.board.recover(release.map((image) => image.package))).toMatchObject({
      kind: 'running',
      resets: 0,
    });
    expect(await device.call('identity')).toMatchObject({ deviceId });
    expect(await device.call('bootInfo')).toMatchObject({ trial: false, failures: [] });
    // It is a whole device again: updates, apps, records and storage, and a second copy of everything.
    await device.call('commit', [await stage(device, makeApp('blink'))], []);
    await device.call('mutableWrite', APP_COMPONENT, new Uint8Array(9000));
    await device.call('recordAppend', new Uint8Array(100));
    await device.call('commit', [await stage(device, await makeSystemImage('Services'))], []);
    await device.board.powerOff();
    device.chip.powerOn();
    for (const type of SYSTEM_IMAGE_TYPES) {
      if (type !== 'Services') device.chip.flash.erase(FLASH_MAP.system[type].A.offset, FLASH_SECTOR);
    }
    device.chip.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    await device.board.powerOff();
  });

  it('waits again wherever power goes while it is rewritten, and can always be recovered at last', async () => {
    const { bits, release } = await factory;
    const set = release.map((image) => image.package);
    const whole = makeDevice(randomised(bits, 2));
    whole.chip.power.layPlan([]);
    await whole.board.recover(set);
    const { operations } = whole.chip.power;
    await whole.board.powerOff();
    expect(operations).toBeGreaterThan(4000);
    const cuts = IS_DEEP ? 200 : 8;
    for (let cut = 0; cut < cuts; cut++) {
      // The first and the last operations, and some in between.
      const at = cut < 3 ? cut : cut < 6 ? operations - cut + 2 : Math.floor((operations * cut) / cuts);
      const device = makeDevice(randomised(bits, 2));
      device.chip.power.layPlan([{ at, kind: cut % 2 === 0 ? 'torn' : 'clean', seed: cut }]);
      expect(await device.board.recover(set), `cut at ${at}`).toMatchObject({ kind: 'powerLost' });
      device.chip.power.layPlan([]);
      const outcome = await device.board.powerOn();
      if (outcome.kind !== 'running') {
        expect(outcome, `cut at ${at}`).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
      }
      expect(await device.board.recover(set), `after a cut at ${at}`).toMatchObject({ kind: 'running' });
      await device.board.powerOff();
    }
  });
});

describe('a device that works', () => {
  it('runs the old system with its apps, the new one without, or waits, wherever power goes in its recovery', async () => {
    const { bits } = await factory;
    const set = await setOf({ version: '2.0.0' });
    const used = copyBits(bits);
    const device = await withApp(used);
    await device.board.powerOff();
    const saved = copyBits(used);
    device.chip.power.layPlan([]);
    await device.board.recover(set);
    const { operations } = device.chip.power;
    await device.board.powerOff();
    const seen: string[] = [];
    const cuts = IS_DEEP ? operations : 24;
    for (let cut = 0; cut < cuts; cut++) {
      const at = Math.min(operations - 1, cut < 8 ? cut : Math.floor((operations * cut) / (cuts - 1)));
      const torn = makeDevice(copyBits(saved));
      torn.chip.power.layPlan([{ at, kind: cut % 2 === 0 ? 'clean' : 'torn', seed: cut }]);
      await torn.board.recover(set);
      torn.chip.power.layPlan([]);
      const outcome = await torn.board.powerOn();
      if (outcome.kind === 'running') {
        const { NormalWorldKernel: kernel, Applications: app } = await activeNames(torn);
        seen.push(kernel === 'kernel 1.0.0' ? 'old' : 'new');
        expect(app, `cut at ${at}`).toBe(kernel === 'kernel 1.0.0' ? 'blink' : undefined);
      } else {
        expect(outcome, `cut at ${at}`).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
        seen.push('waits');
      }
      await torn.board.powerOff();
    }
    expect(seen.join(' ')).toMatch(/^(old )+(waits )+(new ?)*$/);
  });

  it('keeps everything it has when the set is refused', async () => {
    const { bits, release } = await factory;
    const device = await withApp(copyBits(bits));
    await device.board.powerOff();
    const before = flashOf(device.chip);
    const set = release.map((image) => image.package);
    const replace = async (make: () => Promise<Uint8Array>, index: number): Promise<Uint8Array[]> =>
      set.with(index, await make());
    const kernel = 4;
    const flipped = Uint8Array.from(set[2] ?? []);
    flipped[5000] = (flipped[5000] ?? 0) ^ 1;
    const revoking = (): Promise<Uint8Array> =>
      makeSystemImage('TrustedKeystore', { revoked: [revocationOf(set[1] ?? flipped)] });
    const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
      ['RecoverySetIncomplete', set.slice(1)],
      ['RecoverySetIncomplete', [...set, set[0] ?? flipped]],
      ['ImageTooShort', [...set.slice(1), new Uint8Array(3)]],
      ['BadSignature', set.with(2, flipped)],
      [
        'UnknownSigner',
        await replace(() => makeSystemImage('NormalWorldKernel', {}, { signer: keys.stranger }), kernel),
      ],
      ['WrongRoot', await setOf({ root: keys.stranger })],
      ['RevokedImage', await replace(revoking, 0)],
      [
        'AbiNotProvided',
        await replace(
          () =>
            makeSystemImage('NormalWorldKernel', {}, { fields: { abiDepends: [{ kind: 1, version: 9 }] } }),
          kernel,
        ),
      ],
    ];
    for (const [code, untrustedSet] of cases) {
      await expect(device.board.recover(untrustedSet), code).rejects.toMatchObject({ code });
      expect(Buffer.compare(flashOf(device.chip), before), code).toBe(0);
    }
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    expect(await activeNames(device)).toMatchObject({ Applications: 'blink' });
    await device.board.powerOff();
  });

  it('cannot be recovered to a system below its fused counters', async () => {
    const { release } = await factory;
    const device = makeDevice(manufactureBits(await makeRelease({ securityVersion: 3 })));
    await device.board.powerOn();
    await expect(device.board.recover(release.map((image) => image.package))).rejects.toMatchObject({
      code: 'SecurityVersionTooLow',
    });
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    await device.board.powerOff();
  });
});

it('a chip that nobody has manufactured cannot be recovered', async () => {
  const { release } = await factory;
  const device = makeDevice(blankBits());
  await expect(device.board.recover(release.map((image) => image.package))).rejects.toMatchObject({
    code: 'NotManufactured',
  });
});

import { describe, expect, it } from 'vitest';
import {
  APPLICATION_HEADER_LENGTH,
  APPLICATION_SLOTS,
  FLASH_MAP,
  FLASH_SECTOR,
  applicationPlace,
  decodeApplicationSlot,
  encodeSectorList,
  encodeSlotHeader,
  parseImagePackage,
} from '@sevenfold/formats';
import { copyBits, makeDevice, manufactureBits, stage, type TestDevice } from './testing/device.fixture.ts';
import { randomBits } from './testing/random-bits.fixture.ts';
import { makeApp, makeRelease, sha256 } from './testing/release.fixture.ts';

const factory = makeRelease().then(manufactureBits);
const component = (n: number): string => `11111111-2222-4333-8444-${String(n).padStart(12, '0')}`;

async function newDevice(): Promise<TestDevice> {
  const device = makeDevice(copyBits(await factory));
  await device.board.powerOn();
  return device;
}

/** Begins to stage an image. */
async function begin(device: TestDevice, bytes: Uint8Array): Promise<{ stagingId: number; written: number }> {
  const { imageType, componentId, imageId } = parseImagePackage(bytes).fields;
  const image = { imageType, componentId, imageId, size: bytes.length, digest: sha256(bytes) };
  return (await device.call('stageBegin', image)) as { stagingId: number; written: number };
}

/** Whether the sectors of any app's package are not one after the other. */
function someLiesInPieces({ chip }: TestDevice): boolean {
  return Array.from({ length: APPLICATION_SLOTS }, (_, slot) => slot).some((slot) => {
    const head = chip.flash.read(applicationPlace(slot, []).header, APPLICATION_HEADER_LENGTH);
    if (head.every((byte) => byte === 0xff)) return false;
    const { sectors } = decodeApplicationSlot(head, slot).place;
    return sectors.some((sector, index) => index > 0 && sector !== (sectors[index - 1] ?? 0) + FLASH_SECTOR);
  });
}

describe('room for apps', () => {
  it('has room for a new image beside the running apps, and says so when it has not', async () => {
    const device = await newDevice();
    const { most, bytes } = FLASH_MAP.applications;
    const build = async (n: number, name: string, size: number): Promise<number> =>
      stage(device, makeApp(name, size, { componentId: component(n) }));
    const refused = { code: 'NotEnoughFreeSpace' };
    // By number.
    for (let n = 0; n < most; n++) await device.call('commit', [await build(n, `app ${n}`, 100)], []);
    const one = await build(most, 'one more', 100);
    await expect(device.call('commit', [one], [])).rejects.toMatchObject(refused);
    await device.call('commit', [one], [component(2)]);
    // By bytes: each is within the limit, all of them are not.
    await device.call(
      'commit',
      [],
      Array.from({ length: most + 1 }, (_, n) => component(n)).filter((id) => id !== component(2)),
    );
    const half = bytes / 2 - 20_000;
    await device.call('commit', [await build(0, 'half', half), await build(1, 'other half', half)], []);
    const small = await build(3, 'small', 100_000);
    await expect(device.call('commit', [small], [])).rejects.toMatchObject(refused);
    await expect(begin(device, makeApp('large', bytes, { componentId: component(4) }))).rejects.toMatchObject(
      {
        code: 'ImageTooLarge',
      },
    );
    // All of it can be replaced at once, and then again.
    for (const name of ['new', 'newer']) {
      const ids = [await build(0, name, half), await build(1, name, half)];
      await device.call('commit', ids, []);
    }
    // More is never staged than may be installed: the oldest is given up for the newest.
    const older = await build(5, 'older', half);
    const newer = [await build(6, 'newer', half), await build(7, 'newest', half)];
    await expect(device.call('commit', [older], [])).rejects.toMatchObject({ code: 'NoSuchStaging' });
    await device.call('commit', newer, [component(0), component(1)]);
    await device.board.powerOff();
    await device.board.powerOn();
    for (const n of [6, 7]) await device.call('loadApplication', component(n));
    await device.board.powerOff();
  });

  it('finds room in whatever order apps of all sizes come and go, and loads each whole', async () => {
    const device = await newDevice();
    const bits = randomBits(7);
    const random = (): number => (bits(1)[0] ?? 0) / 256;
    const room = FLASH_MAP.applications.bytes;
    const installed = new Map<string, { readonly size: number; readonly bytes: Uint8Array }>();
    let isScattered = false;
    for (let turn = 0; turn < 40; turn++) {
      const id = component(Math.floor(random() * FLASH_MAP.applications.most));
      const bytes = makeApp(`turn ${turn}`, Math.floor(200 + random() ** 2 * 300_000), { componentId: id });
      const others = [...installed].filter(([each]) => each !== id);
      const removed: string[] = [];
      let total = others.reduce((sum, [, { size }]) => sum + size, bytes.length);
      for (const [each, { size }] of others) {
        if (total <= room) break;
        removed.push(each);
        total -= size;
      }
      await device.call('commit', [await stage(device, bytes)], removed);
      for (const each of removed) installed.delete(each);
      installed.set(id, { size: bytes.length, bytes });
      isScattered ||= someLiesInPieces(device);
    }
    expect(isScattered, 'no package lay in pieces').toBe(true);
    for (const [id, { bytes }] of installed)
      expect(Buffer.from((await device.call('loadApplication', id)) as Uint8Array).equals(bytes)).toBe(true);
    await device.board.powerOff();
  });

  it('writes over nothing that runs, whatever a header in flash says of where an image was begun', async () => {
    const device = await newDevice();
    const running = makeApp('running', 30_000, { componentId: component(1) });
    await device.call('commit', [await stage(device, running)], []);
    const next = makeApp('next', 30_000, { componentId: component(2) });
    const { imageType, componentId, imageId } = parseImagePackage(next).fields;
    // With a soldering iron: the image that comes next has been begun in the very sectors of the one that runs.
    const { flash } = device.chip;
    const head = flash.read(applicationPlace(0, []).header, APPLICATION_HEADER_LENGTH);
    const { sectors } = decodeApplicationSlot(head, 0).place;
    const forged = { header: applicationPlace(1, []).header, sectors };
    flash.program(
      forged.header,
      encodeSlotHeader({ imageType, componentId, imageId, size: next.length, digest: sha256(next) }),
    );
    const list = encodeSectorList(forged);
    flash.program(list.offset, list.bytes);
    await device.call('commit', [await stage(device, next)], []);
    for (const [id, bytes] of [
      [component(1), running],
      [component(2), next],
    ] as const)
      expect(Buffer.from((await device.call('loadApplication', id)) as Uint8Array).equals(bytes)).toBe(true);
    await device.board.powerOff();
  });

  it('goes on with each image that was begun, and gives up the oldest only for want of room', async () => {
    const device = await newDevice();
    const app = (n: number, size: number) => makeApp(`app ${n}`, size, { componentId: component(n) });
    const half = async (bytes: Uint8Array): Promise<void> => {
      const { stagingId } = await begin(device, bytes);
      for (let at = 0; at < bytes.length / 2; at += 65_536)
        await device.call('stageWrite', stagingId, at, bytes.subarray(at, at + 65_536));
    };
    const restart = async (): Promise<void> => {
      await device.board.powerOff();
      await device.board.powerOn();
    };
    const apps = Array.from({ length: 4 }, (_, n) => app(n, 1_000_000));
    for (const bytes of apps.slice(0, 3)) {
      await half(bytes);
      await restart();
    }
    for (const bytes of apps.slice(0, 3)) {
      expect((await begin(device, bytes)).written).toBeGreaterThan(400_000);
      await restart();
    }
    // There are sectors for three of these and a bit: the fourth takes those of one that was begun.
    await half(apps[3] ?? new Uint8Array());
    await restart();
    expect((await begin(device, apps[0] ?? new Uint8Array())).written).toBe(0);
    await device.board.powerOff();
  });
});

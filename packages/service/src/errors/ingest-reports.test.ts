import { encodeSymbolMap, type ErrorReport } from '@sevenfold/formats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openDeviceWorld, type DeviceWorld } from '../device-port/testing/device-world.fixture.ts';
import type { StoredImage } from '../images/image.ts';
import { uploadSymbols } from '../images/images.ts';
import { getErrorGroup, listErrorGroups, markErrorGroupFixed } from './error-groups.ts';
import { ingestReports, sweepReports } from './ingest-reports.ts';
import { errorHandlers } from './routes.ts';

const BLINK = '1d2c3b4a-0000-4000-8000-000000000001';

let world: DeviceWorld;
let broken: StoredImage;
let device: { deviceId: string; tenantId: string | null };
let lastId = 0;
beforeEach(async () => {
  world = await openDeviceWorld();
  broken = await withSymbols(await world.uploadApplication(BLINK), 0);
  device = { deviceId: (await world.makeDevice()).deviceId, tenantId: world.tenantId };
});
afterEach(() => world.close());

/** Symbols of a build: each build has its code elsewhere, and on other lines. */
async function withSymbols(image: StoredImage, shift: number): Promise<StoredImage> {
  const symbols = encodeSymbolMap({
    functions: [
      { index: 4, name: 'main' },
      { index: 5, name: 'store_sample' },
    ],
    lines: [
      { offset: 100 + shift, file: 'main.c', line: 20 + shift, function: 'main' },
      { offset: 200 + shift, file: 'main.c', line: 88 + shift, function: 'store_sample' },
    ],
  });
  return uploadSymbols(world.service, world.tenantId, image.imageId, symbols);
}

const report = (image: { imageId: string }, change: Partial<ErrorReport> = {}): ErrorReport => {
  lastId += 1;
  return {
    reportId: Uint8Array.from({ length: 16 }, (_, index) => (lastId >> (8 * (index % 4))) & 0xff),
    kind: 'AppCrash',
    componentId: BLINK,
    imageId: image.imageId,
    osVersion: '26.11.0',
    time: 1_790_000_000,
    uptime: 3100,
    trap: 'memory access out of bounds',
    exitCode: null,
    frames: [
      { function: 5, offset: 210 },
      { function: 4, offset: 120 },
    ],
    log: ['blink 2 starts', 'storing sample 3'],
    count: 1,
    ...change,
  };
};
const send = async (...reports: ErrorReport[]) => ingestReports(world.service, device, { reports });
const groups = async () => (await listErrorGroups(world.service, world.tenantId)).items;
const onlyGroup = async () => {
  const [group, ...others] = await groups();
  expect(others).toEqual([]);
  if (group === undefined) throw new Error('there is no group');
  return group;
};

describe('a failure', () => {
  it('shows where an app’s stack and heap were, and the bytes that its manifest let go', async () => {
    const memory = { stackPointer: 0x7f50, heapStart: null, size: 0x40000, stack: Uint8Array.of(1, 254) };
    await send(report(broken, { memory }));
    const { example } = await getErrorGroup(world.service, world.tenantId, (await onlyGroup()).groupId);
    expect(example).toMatchObject({
      registers: { sp: '0x00007f50', end: '0x00040000' },
      memory: { address: 0x7f50, bytes: '01fe' },
    });
    expect(Object.keys(example.registers ?? {})).not.toContain('heap');
  });

  it('is symbolised to file and line, and says what happened where', async () => {
    await send(report(broken));
    expect(await onlyGroup()).toMatchObject({
      title: 'memory access out of bounds in store_sample (main.c:88)',
      state: 'Open',
      count: 1,
      deviceCount: 1,
      osVersions: ['26.11.0'],
      images: [{ imageId: broken.imageId, count: 1 }],
      example: {
        deviceId: device.deviceId,
        stack: [
          { function: 'store_sample', file: 'main.c', line: 88, offset: 210 },
          { function: 'main', file: 'main.c', line: 20, offset: 120 },
        ],
        log: ['blink 2 starts', 'storing sample 3'],
      },
    });
  });

  it('of an image without symbols is named by what is known', async () => {
    await send(report(await world.uploadApplication(BLINK)));
    expect((await onlyGroup()).title).toBe('memory access out of bounds in wasm-function[5]');
  });

  it('of a real-time core has its stack unwound, and its registers', async () => {
    const image = await world.uploadApplication(BLINK);
    const row = (offset: number, bytes: number) => ({
      offset,
      frame: { register: 13, bytes },
      saved: bytes === 0 ? new Map<number, number>() : new Map([[14, 4]]),
    });
    const symbols = encodeSymbolMap({
      functions: [
        { index: 0x100100, name: 'main' },
        { index: 0x100200, name: 'store' },
      ],
      lines: [{ offset: 0x100200, file: 'main.c', line: 7, function: 'store' }],
      unwind: [row(0x100100, 8), row(0x100200, 0)],
    });
    await uploadSymbols(world.service, world.tenantId, image.imageId, symbols);
    const registers = Array.from({ length: 20 }, (_, index) => index);
    [registers[13], registers[14], registers[15]] = [0x12ff00, 0x100111, 0x100204];
    const core = { registers, faults: [0x8200, 0, 0, 0x38000000], stack: new Uint8Array(8).fill(0xff) };
    const frames = [{ function: 0, offset: 0x100204 }];
    await send(report(image, { trap: 'bus fault at 0x38000000', frames, core }));
    expect(await onlyGroup()).toMatchObject({
      title: 'bus fault at 0x38000000 in store (main.c:7)',
      example: {
        stack: [
          { function: 'store', file: 'main.c', line: 7, offset: 0x100204 },
          { function: 'main', file: null, line: null, offset: 0x10010e },
        ],
        registers: {
          r1: '0x00000001',
          sp: '0x0012ff00',
          pc: '0x00100204',
          cfsr: '0x00008200',
          bfar: '0x38000000',
        },
      },
    });
  });

  it('counts once, however often it is sent', async () => {
    const one = report(broken);
    expect(await send(one)).toEqual([one.reportId]);
    expect(await send(one, one)).toEqual([one.reportId, one.reportId]);
    expect(await onlyGroup()).toMatchObject({ count: 1 });
  });

  it('counts as often as the device says, on as many devices as there were', async () => {
    const other = { ...device, deviceId: (await world.makeDevice()).deviceId };
    await send(report(broken, { count: 5 }));
    await ingestReports(world.service, other, { reports: [report(broken), report(broken)] });
    expect(await onlyGroup()).toMatchObject({ count: 7, deviceCount: 2, images: [{ count: 7 }] });
  });

  it('is the same in another build, where its code and lines are elsewhere', async () => {
    await send(report(broken));
    const rebuilt = await withSymbols(await world.uploadApplication(BLINK), 50);
    await send(
      report(rebuilt, {
        frames: [
          { function: 6, offset: 260 },
          { function: 5, offset: 170 },
        ],
      }),
    );
    const group = await onlyGroup();
    expect(group.title).toBe('memory access out of bounds in store_sample (main.c:138)');
    expect(group.images.map((image) => image.imageId).sort()).toEqual(
      [broken.imageId, rebuilt.imageId].sort(),
    );
  });

  it('is another one with another trap, function, kind or component', async () => {
    await send(
      report(broken),
      report(broken, { trap: 'unreachable' }),
      report(broken, { frames: [{ function: 4, offset: 120 }] }),
      report(broken, { kind: 'AppExit', trap: null, exitCode: 3, frames: [] }),
      report(broken, { kind: 'AppExit', trap: null, exitCode: 4, frames: [] }),
      report(broken, { componentId: '1d2c3b4a-0000-4000-8000-000000000002' }),
    );
    expect((await groups()).map((group) => group.title)).toContain('exit with code 3');
    expect(await groups()).toHaveLength(6);
  });

  it('of one tenant is not seen by another', async () => {
    await send(report(broken));
    const { groupId } = await onlyGroup();
    await expect(getErrorGroup(world.service, 'another', groupId)).rejects.toMatchObject({
      code: 'NotFound',
      field: 'groupId',
    });
    await ingestReports(world.service, { ...device, tenantId: null }, { reports: [report(broken)] });
    expect(await onlyGroup()).toMatchObject({ count: 1 });
  });
});

describe('a group', () => {
  const fix = async (imageId: string) =>
    markErrorGroupFixed(world.service, world.tenantId, (await onlyGroup()).groupId, imageId);

  it('stays fixed while the old image goes on failing', async () => {
    await send(report(broken));
    world.service.clock.advance(1000);
    const fixed = await world.uploadApplication(BLINK);
    expect(await fix(fixed.imageId)).toMatchObject({ state: 'Fixed', fixedImageId: fixed.imageId });
    await send(report(broken));
    expect(await onlyGroup()).toMatchObject({ state: 'Fixed', count: 2 });
  });

  it('reopens when the fixed image fails alike', async () => {
    await send(report(broken));
    world.service.clock.advance(1000);
    const fixed = await withSymbols(await world.uploadApplication(BLINK), 0);
    await fix(fixed.imageId);
    await send(report(fixed));
    expect(await onlyGroup()).toMatchObject({ state: 'Regressed', fixedImageId: fixed.imageId });
  });

  it('reopens when a newer image than the fixed one fails alike', async () => {
    await send(report(broken));
    world.service.clock.advance(1000);
    const fixed = await world.uploadApplication(BLINK);
    world.service.clock.advance(1000);
    const newer = await withSymbols(await world.uploadApplication(BLINK), 0);
    await fix(fixed.imageId);
    await send(report(newer));
    expect(await onlyGroup()).toMatchObject({ state: 'Regressed' });
    expect(await fix(newer.imageId)).toMatchObject({ state: 'Fixed', fixedImageId: newer.imageId });
  });

  it('cannot be fixed in an image of another component or tenant', async () => {
    await send(report(broken));
    const foreign = await world.uploadApplication('1d2c3b4a-0000-4000-8000-000000000002', 'Fade');
    await expect(fix(foreign.imageId)).rejects.toMatchObject({ code: 'Conflict', field: 'imageId' });
    await expect(fix('1d2c3b4a-0000-4000-8000-00000000000f')).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('the list of groups', () => {
  it('comes in pages, last seen first', async () => {
    for (const exitCode of [1, 2, 3, 4, 5]) {
      await send(report(broken, { kind: 'AppExit', trap: null, exitCode, frames: [] }));
      world.service.clock.advance(1000);
    }
    const titles: string[] = [];
    let after: string | undefined;
    do {
      const page = await listErrorGroups(world.service, world.tenantId, { limit: 2, after });
      titles.push(...page.items.map((group) => group.title));
      after = page.next ?? undefined;
    } while (after !== undefined);
    expect(titles).toEqual([5, 4, 3, 2, 1].map((code) => `exit with code ${code}`));
  });

  it('has no place that was made up', async () => {
    await expect(listErrorGroups(world.service, world.tenantId, { after: 'x' })).rejects.toMatchObject({
      code: 'InvalidRequest',
      field: 'after',
    });
  });
});

describe('a hostile device', () => {
  const show = async (groupId: string) =>
    errorHandlers(world.service).errorGroup({
      params: { tenantId: world.tenantId, groupId },
      query: undefined,
      body: undefined,
      caller: null,
      requestId: '',
    });
  const letters = (number: number): string =>
    Array.from(String(number), (digit) => String.fromCodePoint(97 + Number(digit))).join('');

  it('cannot make a group unreadable by a clock that runs to the end of numbers', async () => {
    await send(report(broken, { time: Number.MAX_SAFE_INTEGER, uptime: Number.MAX_SAFE_INTEGER }));
    const { latest } = await show((await onlyGroup()).groupId);
    expect(latest.time).toBe('9999-12-31T00:00:00.000Z');
  });

  it('cannot make more groups than a tenant may have; what is known goes on being told apart', async () => {
    const limits = { mostGroups: 3, mostImages: 100 };
    const kind = (number: number) => report(broken, { trap: `trap ${letters(number)}`, frames: [] });
    await send(kind(0));
    for (let number = 1; number < 20; number++) {
      await ingestReports(world.service, device, { reports: [kind(number)] }, limits);
    }
    await ingestReports(world.service, device, { reports: [kind(1)] }, limits);
    const found = (await groups()).map(({ title, count }) => ({ title, count }));
    expect(found).toHaveLength(4);
    expect(found).toContainEqual({ title: 'other failures: there are more than 3 kinds', count: 17 });
    expect(found).toContainEqual({ title: 'trap b', count: 2 });
  });

  it('cannot make a group name more builds than it may', async () => {
    const limits = { mostGroups: 3, mostImages: 2 };
    for (let number = 0; number < 10; number++) {
      const imageId = `1d2c3b4a-0000-4000-8000-0000000001${String(number).padStart(2, '0')}`;
      const reports = [report({ imageId }, { frames: [] })];
      await ingestReports(world.service, device, { reports }, limits);
      if (number === 0)
        await ingestReports(
          world.service,
          device,
          { reports: [report({ imageId }, { frames: [] })] },
          limits,
        );
    }
    const group = await onlyGroup();
    expect(group.count).toBe(11);
    expect(group.images.map(({ count }) => count).sort((a, b) => a - b)).toEqual([1, 2]);
  });

  it('cannot count beyond what a number holds', async () => {
    const { groupId } = await send(report(broken)).then(onlyGroup);
    const near = Number.MAX_SAFE_INTEGER - 5;
    await world.service.store.write(async (tx) => {
      await tx.updateTable('errorGroups').set({ count: near }).where('groupId', '=', groupId).execute();
      await tx.updateTable('errorGroupImages').set({ count: near }).where('groupId', '=', groupId).execute();
    });
    await send(report(broken, { count: 0xffff_ffff }));
    const group = await onlyGroup();
    expect([group.count, group.images[0]?.count]).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
  });

  it('has its old reports forgotten, and the counts of them kept', async () => {
    const rows = async () =>
      (await world.service.store.read.selectFrom('errorReports').selectAll().execute()).length;
    await send(...Array.from({ length: 30 }, () => report(broken)));
    world.service.clock.advance(89 * 24 * 3_600_000);
    await send(report(broken));
    await sweepReports(world.service);
    expect(await rows()).toBe(31);
    world.service.clock.advance(2 * 24 * 3_600_000);
    await sweepReports(world.service);
    expect(await rows()).toBe(1);
    expect(await onlyGroup()).toMatchObject({ count: 31 });
  });

  it('is symbolised in the order in which it tells, whatever images it names', async () => {
    const other = await withSymbols(await world.uploadApplication(BLINK), 0);
    const lines = Array.from({ length: 12 }, (_, index) => `line ${index}`);
    await send(...lines.map((line, index) => report(index % 2 === 0 ? broken : other, { log: [line] })));
    expect(await onlyGroup()).toMatchObject({ count: 12, example: { log: ['line 11'] } });
  });
});

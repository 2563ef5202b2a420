import { IMAGE_TYPES, decodeErrorReport, toHex } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { report, useWorld } from './testing/world.ts';

const world = useWorld();

describe('error reports', () => {
  it('leave flash when the service has accepted them, and not before', async () => {
    world.queue(1, 2, 3);
    world.service.behaviour.acceptReport = ({ reportId }) => reportId[0] !== 2;
    const status = await world.bootAndCheck();
    expect(status.queuedReports).toBe(1);
    expect(world.service.received.reports.map(({ reportId }) => reportId[0]).slice(0, 2)).toEqual([1, 3]);
    world.service.behaviour.acceptReport = () => true;
    expect((await world.device.gateway('checkNow')).queuedReports).toBe(0);
    expect(world.service.received.reports.at(-1)).toEqual(report(2));
  });

  it('go in batches, a bounded number at a time', async () => {
    world.queue(...Array.from({ length: 220 }, (_, index) => index + 1));
    await world.device.boot();
    expect((await world.device.gateway('status')).queuedReports).toBeGreaterThan(0);
    await world.device.gateway('checkNow');
    await world.device.gateway('checkNow');
    expect(world.device.memory.records).toHaveLength(0);
    expect(world.service.received.reports).toHaveLength(220);
  });

  it('that cannot be read do not block the others', async () => {
    world.device.memory.records.push({ id: 900, record: Uint8Array.of(1, 2, 3) });
    world.queue(1);
    expect((await world.bootAndCheck()).queuedReports).toBe(0);
    expect(world.device.log.join('\n')).toContain('record 900');
    expect(world.service.received.reports).toHaveLength(1);
  });

  it('are delivered within a minute or two, without waiting for the next check', async () => {
    await world.bootAndCheck();
    world.queue(7);
    world.device.clock.advance(61_000);
    await expect.poll(() => world.service.received.reports.length).toBe(1);
  });

  it('tell of accesses that the firewall stopped, each time there are new ones', async () => {
    const fault = { master: 'realtime0', region: 'fuses', address: 0x2000_0000, access: 'read' };
    const { memory } = world.device;
    memory.boot = { ...memory.boot, busFaults: { count: 3, newest: [fault] } };
    await world.bootAndCheck();
    const faults = () => world.service.received.reports.filter(({ trap }) => trap === 'BusFault');
    expect(faults()).toMatchObject([
      { kind: 'OsFailure', count: 3, log: ['realtime0 may not read at 0x20000000'] },
    ]);
    await world.device.gateway('checkNow');
    expect(faults()).toHaveLength(1);
    memory.boot = {
      ...memory.boot,
      busFaults: { count: 4, newest: [fault, { ...fault, region: null, address: 8 }] },
    };
    await world.device.gateway('checkNow');
    expect(faults()[1]).toMatchObject({
      count: 1,
      log: ['realtime0 may not read at 0x20000000', 'realtime0 may not read at 0x8'],
    });
  });

  it('tell of a boot that fell back, once', async () => {
    world.device.memory.boot = {
      trial: false,
      failures: [
        {
          imageType: IMAGE_TYPES.NormalWorldKernel,
          slot: 'B',
          code: 'BadSignature',
          message: 'It is not signed.',
        },
      ],
      fellBack: { imageIds: ['11111111-1111-4111-8111-111111111111'] },
    };
    world.service.behaviour.instead = () => 'cut';
    await world.device.boot();
    await world.device.boot();
    expect(world.device.memory.records).toHaveLength(1);
    expect(decodeErrorReport(world.device.memory.records[0]?.record ?? new Uint8Array())).toMatchObject({
      kind: 'OsFallback',
      trap: 'BadSignature',
      osVersion: '26.11.0',
    });
    world.service.behaviour.instead = () => null;
    await world.device.gateway('checkNow');
    expect(new Set(world.service.received.reports.map(({ reportId }) => toHex(reportId))).size).toBe(1);
    expect(world.device.memory.records).toEqual([]);
  });

  it('that have no room any more keep no device from coming up', async () => {
    world.device.memory.boot = {
      trial: false,
      failures: [],
      fellBack: { imageIds: ['11111111-1111-4111-8111-111111111111'] },
    };
    world.queue(1, 2, 3);
    world.device.memory.failing.set('recordAppend', { code: 'RecordsFull', message: 'The log is full.' });
    expect(await world.bootAndCheck()).toMatchObject({ phase: 'idle', queuedReports: 0 });
    expect(world.device.log.join('\n')).toContain('RecordsFull');
  });
});

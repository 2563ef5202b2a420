import { describe, expect, it } from 'vitest';
import { MONITOR_CALLS, type PortValue } from '@sevenfold/formats';
import { activeNames, makeDevice, manufactureBits, type TestDevice } from './testing/device.fixture.ts';
import { makeApp, makeRelease } from './testing/release.fixture.ts';

const CALLS = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0 ? 100_000 : 4000;

async function newDevice(): Promise<TestDevice> {
  const device = makeDevice(manufactureBits(await makeRelease()));
  await device.board.powerOn();
  return device;
}

describe('the Security Monitor, called by a hostile kernel', () => {
  it('answers no call that its table does not have, and no one but the kernel', async () => {
    const device = await newDevice();
    for (const method of [
      '',
      'toString',
      'constructor',
      '__proto__',
      'hasOwnProperty',
      'programFlash',
      'x'.repeat(10_000),
    ]) {
      await expect(device.call(method)).rejects.toMatchObject({ code: 'UnknownCall' });
    }
    await device.board.powerOff();
  });

  it('refuses a wrong number or shape of arguments of every call with a typed error', async () => {
    const device = await newDevice();
    const junk: readonly PortValue[] = [
      null,
      -1,
      1.5,
      Number.NaN,
      2n,
      '',
      'x'.repeat(50_000),
      [],
      [[]],
      {},
      { imageType: 1 },
      new Uint8Array(70_000),
      true,
    ];
    for (const [method, { args }] of Object.entries(MONITOR_CALLS)) {
      if (method === 'restart') continue;
      await expect(device.call(method, ...args.map(() => null), null), method).rejects.toMatchObject({
        code: 'BadArgument',
        field: 'args',
      });
      if (args.length === 0) continue;
      for (const value of junk) {
        const outcome = await device.call(method, ...args.map(() => value)).then(
          () => 'answered',
          (error: { code: string }) => error.code,
        );
        // A few of these are arguments that one may give.
        expect(outcome, `${method} of a ${typeof value}`).toMatch(
          /^(BadArgument|answered|NoSuchStaging|NoSuchKey|NoSuchComponent)$/,
        );
      }
    }
    expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 1.0.0' });
    await device.board.powerOff();
  });

  it('does not grow by being asked for the same thing again', async () => {
    const device = await newDevice();
    const before = await device.call('bootInfo');
    for (let n = 0; n < 50; n++) await device.call('loadServices');
    expect(await device.call('bootInfo')).toEqual(before);
    expect(device.chip.pluton.measurements).toHaveLength(6);
    await device.board.powerOff();
  });

  it('stays what it was under anything in any order, many at a time', async () => {
    const device = await newDevice();
    const app = makeApp('blink');
    const values: readonly PortValue[] = [
      0,
      1,
      2,
      3,
      7,
      4096,
      65_536,
      'plan',
      '11111111-2222-4333-8444-555555555555',
      app,
      app.subarray(0, 300),
      [],
      [0],
      [1, 2],
      new Uint8Array(32),
      new Uint8Array(20),
      new Uint8Array(64),
      null,
      true,
      {
        imageType: 10,
        componentId: '11111111-2222-4333-8444-555555555555',
        imageId: '11111111-2222-4333-8444-555555555556',
        size: 300,
        digest: new Uint8Array(32),
      },
      {
        imageType: 7,
        componentId: '7f1d0007-5e7e-4f01-8d00-000000000007',
        imageId: '11111111-2222-4333-8444-555555555556',
        size: 9000,
        digest: new Uint8Array(32),
      },
    ];
    const methods = Object.keys(MONITOR_CALLS).filter(
      (method) => method !== 'restart' && method !== 'watchdogKick',
    );
    let state = 1;
    const pick = <T>(list: readonly T[]): T => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return list[(state >> 8) % list.length] as T;
    };
    const before = Buffer.from(device.chip.flash.read(0, 0x140000));
    for (let done = 0; done < CALLS; done += 20) {
      const calls = Array.from({ length: 20 }, () => {
        const method = pick(methods) as keyof typeof MONITOR_CALLS;
        return device.call(method, ...MONITOR_CALLS[method].args.map(() => pick(values)));
      });
      const outcomes = await Promise.allSettled(calls);
      const internal = outcomes.filter(
        (outcome) =>
          outcome.status === 'rejected' &&
          /Internal|HardwareFault|BusFault/.test(String(outcome.reason.code)),
      );
      expect(internal, device.board.bootLog.at(-1)).toEqual([]);
    }
    expect(device.board.state).toBe('running');
    // Boot records, keystore, certificate store and Pluton: not one bit of them.
    expect(Buffer.compare(before, device.chip.flash.read(0, 0x140000))).toBe(0);
    await device.board.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    expect(await activeNames(device)).toMatchObject({
      NormalWorldKernel: 'kernel 1.0.0',
      Services: 'services 1.0.0',
    });
    await device.board.powerOff();
  });
});

describe('Pluton, called by a hostile monitor', () => {
  it('lets no counter run ahead of what was measured, and answers nobody else', async () => {
    const monitor = `globalThis.stage = { async start(h) {
      const tell = async (...call) => h.log(JSON.stringify(await h.ports.pluton.call(...call).then(() => 'answered', (e) => e.code)));
      await tell('raiseSecurityVersion', 7, 100);
      await tell('raiseSecurityVersion', 4, 2);
      await tell('raiseSecurityVersion', 4, 1);
      await tell('programSecurityVersion', 4, 9);
      await tell('signIdentity', new Uint8Array(3));
      await tell('verifyImage', new Uint8Array(300), 7, true);
      h.log((await h.ports.pluton.call('measurements')).length + ' measured');
    } };`;
    const device = makeDevice(manufactureBits(await makeRelease({ monitor })));
    await device.board.powerOn();
    expect(
      device.board.bootLog.filter((line) => line.startsWith('[MONITOR]')).map((line) => line.slice(10)),
    ).toEqual([
      '"VersionNotRunning"',
      '"VersionNotRunning"',
      '"answered"',
      '"UnknownCall"',
      '"UnknownCall"',
      '"InvalidMetadata"',
      '3 measured',
    ]);
    expect(device.chip.fuses.securityVersion('NormalWorldKernel')).toBe(0);
    expect(device.chip.fuses.securityVersion('SecurityMonitor')).toBe(1);
    await device.board.powerOff();
  });
});

describe('the firewall, once the device runs', () => {
  it('keeps the normal world out of flash, and nobody opens it again before reset', async () => {
    const { chip, board } = await newDevice();
    const { bus } = chip;
    expect(bus.firewall.isLocked).toBe(true);
    for (const offset of [0, 0x10000, 0x840000, 0xc40000, 0xcc0000]) {
      expect(() => bus.readFlash('normal', offset, 16)).toThrow(/Bus fault: normal may not read/);
      expect(() => bus.programFlash('normal', offset, Uint8Array.of(0))).toThrow(/Bus fault/);
      expect(() => bus.readFlash('realtime0', offset, 16)).toThrow(/Bus fault/);
    }
    expect(() => bus.check('secure', 'read', 'fuses')).toThrow(/Bus fault/);
    expect(() => bus.check('normal', 'write', 'firewall')).toThrow(/Bus fault/);
    expect(bus.firewall.violations.length).toBe(17);
    expect(bus.firewall.violations[0]).toEqual({
      master: 'normal',
      region: 'bootRecord',
      address: 0x1000_0000,
      access: 'read',
    });
    expect(() => bus.firewall.configure([])).toThrow(/locked until reset/);
    await board.powerOff();
    await board.powerOn();
    expect(bus.firewall.violations).toEqual([]);
    await board.powerOff();
  });
});

import { describe, expect, it } from 'vitest';
import { MONITOR_CALLS, type PortValue } from '@sevenfold/formats';
import { activeNames, makeDevice, manufactureBits, type TestDevice } from './testing/device.fixture.ts';
import { makeRelease } from './testing/release.fixture.ts';

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

describe('the watchdog, once the device runs', () => {
  it('can neither turn the watchdog off nor set it out of reach', async () => {
    const device = await newDevice();
    for (const milliseconds of [0, -1, 600_001, 2 ** 31, Number.MAX_SAFE_INTEGER])
      await expect(device.call('watchdogKick', milliseconds)).rejects.toMatchObject({ code: 'BadArgument' });
    for (const access of ['read', 'write'] as const)
      expect(() => device.chip.bus.check('normal', access, 'watchdog')).toThrow(/Bus fault/);
    // The longest that it may ask for, and then nothing more: reset.
    await device.call('watchdogKick', 600_000);
    const reasons: string[] = [];
    device.board.onReset((reason) => reasons.push(reason));
    await device.clock.advance(600_001);
    expect(reasons).toEqual(['Watchdog']);
    await device.board.powerOff();
  });
});

describe('the firewall, once the device runs', () => {
  it('keeps the normal world out of flash, and nobody opens it again before reset', async () => {
    const device = await newDevice();
    const { chip, board } = device;
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
    // The monitor knows, and who asks it: the services report it.
    expect(await device.call('bootInfo')).toMatchObject({ busFaults: { count: 17 } });
    await board.powerOff();
    await board.powerOn();
    expect(bus.firewall.violations).toEqual([]);
    await board.powerOff();
  });
});

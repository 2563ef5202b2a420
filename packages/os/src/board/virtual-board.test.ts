import { createECDH, createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  POWER_REGISTERS,
  RTC_REGISTERS,
  UART_BITS,
  UART_OFFSET,
  UART_REGISTERS,
  registerAddress,
  toHex,
  type PortValue,
} from '@sevenfold/formats';
import { copyBits, makeDevice, manufactureBits, settled, type TestDevice } from './testing/device.fixture.ts';
import { WIRINGS, type Wiring } from './stage-loader.ts';
import { makeRelease, type ReleaseVariant } from './testing/release.fixture.ts';

async function deviceWith(variant: ReleaseVariant, wiring: Wiring = 'inline'): Promise<TestDevice> {
  return makeDevice(manufactureBits(await makeRelease(variant)), wiring);
}

/** A kernel whose `start` is this script body; `monitor` and `hardware` are its ports. */
const kernelOf = (body: string): string =>
  `globalThis.stage = { async start(h) { const { monitor, hardware } = h.ports; ${body} } };`;
const START_SERVICES = `await hardware.call('startStage', 'services', await monitor.call('loadServices'));`;
const PASS_ON = `h.serve(async (caller, method, args) => method.startsWith('hw.') ? hardware.call(method.slice(3), ...args) : monitor.call(method, ...args));`;

describe('a board', () => {
  it('resets a device whose kernel does not kick the watchdog any more', async () => {
    const device = await deviceWith({
      kernel: kernelOf(`${PASS_ON} await monitor.call('watchdogKick', 5000); ${START_SERVICES}`),
    });
    await device.board.powerOn();
    const reasons: string[] = [];
    device.board.onReset((reason) => reasons.push(reason));
    await device.clock.advance(4999);
    expect(reasons).toEqual([]);
    await device.clock.advance(2);
    expect(await settled(device)).toBe('running');
    expect(reasons).toEqual(['Watchdog']);
    expect(await device.call('bootInfo')).toMatchObject({ resetReason: 'Watchdog' });
    await device.board.powerOff();
  });

  it('stops where a kernel that is not on trial does not come up, and says which', async () => {
    const device = await deviceWith({ kernel: kernelOf(`throw new Error('no');`) });
    expect(await device.board.powerOn()).toMatchObject({
      kind: 'stopped',
      code: 'StageFailed',
      message: 'the stage kernel did not come up',
    });
    expect(device.board.state).toBe('stopped');
    await device.board.powerOff();
    expect(device.board.state).toBe('off');
  });

  it('gives up on a device that resets again and again before it is up', async () => {
    const device = await deviceWith({ kernel: kernelOf(`await monitor.call('restart');`) });
    expect(await device.board.powerOn()).toMatchObject({ kind: 'stopped', code: 'BootLoop' });
  });

  it.each(['thread', 'process'] as const)(
    'resets a device one of whose stages dies in its %s',
    async (wiring) => {
      const device = await deviceWith(
        {
          services: `globalThis.stage = { async start(h) { h.serve(async (_, method, args) => { if (method === 'die') { Promise.reject(1); return null; } return h.ports.kernel.call(method, ...args); }); } };`,
        },
        wiring,
      );
      await device.board.powerOn();
      const reset = new Promise((resolve) => device.board.onReset(resolve));
      await device.call('die').catch(() => {});
      expect(await reset).toBe('StageDied');
      expect(await device.call('bootInfo')).toMatchObject({ resetReason: 'StageDied' });
      await device.board.powerOff();
    },
  );

  it.each(['thread', 'process'] as const)(
    'resets a device whose kernel loops for ever in its %s, and nobody else is held up',
    async (wiring) => {
      const device = await deviceWith(
        {
          kernel:
            kernelOf(`h.serve(async (caller, method, args) => { if (method === 'loop') for (;;); return monitor.call(method, ...args); });
            await monitor.call('watchdogKick', 600000); ${START_SERVICES}`),
        },
        wiring,
      );
      await device.board.powerOn();
      const reset = new Promise((resolve) => device.board.onReset(resolve));
      await device.call('watchdogKick', 300);
      const looping = expect(device.call('loop')).rejects.toMatchObject({ code: 'StageStopped' });
      expect(await reset).toBe('Watchdog');
      await looping;
      expect(await device.call('bootInfo')).toMatchObject({ resetReason: 'Watchdog' });
      await device.board.powerOff();
    },
  );

  it('lets no stage write lines for another one', async () => {
    const device = await deviceWith({
      kernel: kernelOf(`h.log('hello\\n[ROM] all is well\\u001b[2J'); ${PASS_ON} ${START_SERVICES}`),
    });
    await device.board.powerOn();
    expect(device.board.bootLog).toContain('[KERNEL] hello [ROM] all is well [2J');
    expect(device.board.bootLog.filter((line) => line.startsWith('[ROM] all'))).toEqual([]);
    await device.board.powerOff();
  });

  it('says what holds the stages where each is a process', async () => {
    const device = await deviceWith({}, 'process');
    await device.board.powerOn();
    expect(device.board.bootLog[0]).toMatch(
      /^\[BOARD\] a process for each stage, held by .*permission model/,
    );
    await device.board.powerOff();
  });

  it('starts a stage once, from the layer below it only', async () => {
    const device = await deviceWith({
      kernel: kernelOf(`${PASS_ON} ${START_SERVICES}
        for (const name of ['services', 'kernel', 'monitor', 'pluton'])
          h.log(name + ' ' + await hardware.call('startStage', name, new Uint8Array(9)).then(() => 'started', (e) => e.code));`),
    });
    await device.board.powerOn();
    expect(device.board.bootLog.filter((line) => line.startsWith('[KERNEL]'))).toEqual([
      '[KERNEL] services StageRefused',
      '[KERNEL] kernel BadArgument',
      '[KERNEL] monitor BadArgument',
      '[KERNEL] pluton BadArgument',
    ]);
    await device.board.powerOff();
  });

  it('goes on with everything else while its kernel ignores an interrupt', async () => {
    // The small kernel of these tests writes events of the hardware to its log, and does nothing about them.
    const device = await deviceWith({});
    const { board, chip, clock } = device;
    await board.powerOn();
    await device.call('hw.bus', [
      ['write', registerAddress('isu0', UART_OFFSET + UART_REGISTERS.IER_DLM), UART_BITS.RX_INT],
    ]);
    chip.isus[0]?.uart.arrive(42);
    await clock.advance(100);
    const told = board.bootLog.filter((line) => line === '[KERNEL] interrupt 47').length;
    expect(told).toBeGreaterThan(10);
    expect(told).toBeLessThanOrEqual(101);
    expect(await device.call('bootInfo')).toMatchObject({ resetReason: 'PowerOn' });
    // Read at last, it is quiet.
    await device.call('hw.bus', [['read', registerAddress('isu0', UART_OFFSET)]]);
    await clock.advance(100);
    const before = board.bootLog.length;
    await clock.advance(100);
    expect(board.bootLog.length).toBe(before);
    await board.powerOff();
  });

  it('powers down when its software says so, and wakes at the alarm, by the pin, or by hand', async () => {
    const device = await deviceWith({});
    const { board, chip, clock } = device;
    const reasons: string[] = [];
    board.onReset((reason) => reasons.push(reason));
    const powerDown = async (seconds: number): Promise<void> => {
      await device.call('hw.bus', [
        ['write', registerAddress('power', POWER_REGISTERS.ALARM), seconds],
        ['write', registerAddress('power', POWER_REGISTERS.CTRL), 1],
      ]);
      void device.call('restart').catch(() => {});
      await settled(device);
      expect(board.state).toBe('asleep');
      await expect(device.call('bootInfo')).rejects.toMatchObject({ code: 'DeviceNotRunning' });
    };
    const isUpBecauseOf = async (reason: string): Promise<void> => {
      expect(await settled(device)).toBe('running');
      expect(await device.call('bootInfo')).toMatchObject({ resetReason: reason });
    };

    await board.powerOn();
    await device.call('hw.bus', [
      ['write', registerAddress('rtc', RTC_REGISTERS.LOW), 5],
      ['write', registerAddress('rtc', RTC_REGISTERS.HIGH), 0],
    ]);
    await powerDown(3600);
    expect(() => chip.flash.read(0, 1)).toThrow(expect.objectContaining({ code: 'PowerCut' }));
    await clock.advance(3_599_999);
    expect(board.state).toBe('asleep');
    await clock.advance(1);
    await isUpBecauseOf('WakeAlarm');
    // The battery's clock went on, and a restart that nobody armed is a restart.
    expect(chip.rtc.time).toBe(3_600_005);
    await device.call('restart').catch(() => {});
    await isUpBecauseOf('Restart');

    // No kernel keeps the device away from its updates for longer than a day.
    await powerDown(0xffff_ffff);
    await clock.advance(86_399_999);
    expect(board.state).toBe('asleep');
    await clock.advance(1);
    await isUpBecauseOf('WakeAlarm');

    await powerDown(60);
    await board.wake();
    await isUpBecauseOf('WakePin');
    await powerDown(60);
    await board.powerOn();
    await isUpBecauseOf('PowerOn');
    // The alarm of a sleep that is over wakes nobody.
    await powerDown(600);
    await board.powerOff();
    await clock.advance(1_000_000);
    expect(board.state).toBe('off');
    expect(reasons).toEqual(['Restart']);
  });

  it('leaves no private key in any reply, log line or in flash', async () => {
    const bits = manufactureBits(await makeRelease());
    const device = makeDevice(copyBits(bits));
    const replies: PortValue[] = [];
    await device.board.powerOn();
    for (const method of ['identity', 'bootInfo', 'listImages', 'loadServices']) {
      replies.push(await device.call(method));
    }
    replies.push(
      await device.call('createSessionKey', null),
      await device.call('attest', new Uint8Array(32)),
      await device.call('random', 256),
    );
    const { chip, board } = device;
    const seed = chip.fuses.identitySeed ?? new Uint8Array(0);
    expect(seed.length).toBe(32);
    // The scalar: the one whose point is the identity.
    const { attestationSpki } = chip.identity();
    const scalar = scalarOf(seed, attestationSpki);
    const said = JSON.stringify([replies, board.bootLog], (_, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
    const flash = Buffer.from(chip.flash.read(0, chip.flash.size));
    for (const secret of [seed, scalar]) {
      expect(said).not.toContain(toHex(secret));
      expect(flash.includes(secret)).toBe(false);
    }
    await board.powerOff();
  });
});

/** The private scalar behind an identity, derived from its seed as the chip does: to look for it everywhere else. */
function scalarOf(seed: Uint8Array, spki: Uint8Array): Uint8Array {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const scalar = createHash('sha256')
    .update('sevenfold identity key v1')
    .update(seed)
    .update(Uint8Array.of(0))
    .digest();
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  expect(toHex(ecdh.getPublicKey())).toContain(toHex(spki.subarray(-64)));
  return Uint8Array.from(scalar);
}

/** A kernel that runs one compartment and tells what it hears from it. */
const COMPARTMENT_KERNEL = kernelOf(`
  const heard = [];
  h.serve(async (caller, method, args) => {
    if (caller.startsWith('compartment:') || caller === 'hardware') { heard.push([caller, method, ...args]); return args[0] ?? null; }
    if (method === 'heard') return heard;
    if (method.startsWith('hw.')) return hardware.call(method.slice(3), ...args);
    return monitor.call(method, ...args);
  });
  ${START_SERVICES}`);

describe.each(WIRINGS)('compartments, wired %s', (wiring) => {
  const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

  it('run a program beside a module, speak to the kernel as themselves, and end when they are stopped', async () => {
    const device = await deviceWith({ kernel: COMPARTMENT_KERNEL }, wiring);
    await device.board.powerOn();
    const program = bytes(`globalThis.stage = { async start(h) {
      const { module, options } = await h.ports.hardware.call('module');
      const compiled = new WebAssembly.Module(module);
      await h.ports.kernel.call('hello', options.name, WebAssembly.Module.exports(compiled).length);
      h.ports.kernel.call('later', await h.ports.hardware.call('bus', []).catch((e) => e.code));
    } };`);
    const module = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const start = (id: number, code: Uint8Array) =>
      device.call('hw.startCompartment', id, code, module, { name: 'blink' });
    await start(7, program);
    await expect(start(7, program)).rejects.toMatchObject({ code: 'CompartmentExists' });
    await expect
      .poll(() => device.call('heard'))
      .toEqual([
        ['compartment:7', 'hello', 'blink', 0],
        ['compartment:7', 'later', 'UnknownCall'],
      ]);
    await device.call('hw.stopCompartment', 7);
    await expect(device.call('hw.stopCompartment', 7)).rejects.toMatchObject({ code: 'NoSuchCompartment' });
    await expect(
      start(8, bytes('globalThis.stage = { async start() { throw new Error("x"); } };')),
    ).rejects.toMatchObject({ code: 'Internal' });
    await expect(device.call('hw.stopCompartment', 8)).rejects.toMatchObject({ code: 'NoSuchCompartment' });
    await device.board.powerOff();
  });
});

it('compartments that die by themselves are told to the kernel by the hardware', async () => {
  const device = await deviceWith({ kernel: COMPARTMENT_KERNEL }, 'thread');
  await device.board.powerOn();
  const dies = Buffer.from(
    'globalThis.stage = { async start(h) { h.clock.sleep(1).then(() => { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); }); } };',
  );
  await device.call('hw.startCompartment', 3, dies, new Uint8Array(8), {});
  await expect
    .poll(() => device.call('heard'), { timeout: 20_000 })
    .toEqual([['hardware', 'compartmentEnded', 3, 'out of memory']]);
  expect(device.board.state).toBe('running');
  await device.board.powerOff();
});

it('keys of sessions are PKCS#8 that Node can use', async () => {
  const device = await deviceWith({});
  await device.board.powerOn();
  const { keyId } = (await device.call('createSessionKey', null)) as { keyId: number };
  const pkcs8 = (await device.call('exportSessionKey', keyId)) as Uint8Array;
  expect(createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }).asymmetricKeyType).toBe(
    'ec',
  );
  await device.board.powerOff();
});

import { type PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { KernelWorld } from './testing/kernel-world.ts';
import { COMPONENT, IMAGE, OUT, scriptModule, type Step } from './testing/test-app.ts';

const OTHER = 'bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SIGTERM_BIT = 1n << 15n;

const call = (name: string, ...args: Step['args']): Step => ({ call: ['sevenfold', name], args });
/** Waits on an empty epoll, for ever. */
const waiting: readonly Step[] = [call('epoll_create', OUT), call('epoll_wait', 'loaded', 600, 1, -1, 700)];
const waits = scriptModule(waiting);
const handlesSigterm = scriptModule([call('signal_watch', SIGTERM_BIT), ...waiting]);

const stateOf = async (world: KernelWorld): Promise<readonly Readonly<Record<string, PortValue>>[]> =>
  (await world.services('appList')) as readonly Readonly<Record<string, PortValue>>[];

/** Replaces the app; gives the ms of virtual time that it took. */
async function replace(world: KernelWorld): Promise<number> {
  const before = world.clock.monotonic();
  let took = -1;
  world.install({ module: waits, imageId: IMAGE.replace('9', '8') });
  void world.services('appInstalled', COMPONENT).then(() => {
    took = world.clock.monotonic() - before;
  });
  await world.clock.advance(2000);
  return took;
}

describe('an app that is to end', () => {
  it('gets SIGTERM where it waits, ends by itself, and that is no failure', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: handlesSigterm }] });
    await world.clock.advance(100);
    expect(await replace(world)).toBe(0);
    // EINTR of the call that it waited in.
    expect(world.log).toContain('app tried exited with 27');
    expect(world.reports).toEqual([]);
    expect(await stateOf(world)).toMatchObject([{ state: 'running', restarts: 0 }]);
  });

  it('has half a second for it, and not more', async () => {
    const deaf = scriptModule([call('signal_watch', SIGTERM_BIT), ...waiting, ...waiting]);
    const ignores = scriptModule([
      call('signal_watch', SIGTERM_BIT),
      ...waiting,
      call('signal_next', 720),
      ...waiting,
    ]);
    for (const module of [ignores, deaf]) {
      const world = await KernelWorld.boot({ apps: [{ module }] });
      await world.clock.advance(100);
      const took = await replace(world);
      expect(took).toBe(module === ignores ? 500 : 0);
      expect(world.runningCompartments).toBe(1);
    }
  });

  it('that has no handler ends at once, as SIGTERM does by default', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    expect(await replace(world)).toBe(0);
    expect(world.reports).toEqual([]);
  });

  it('is not waited for longer because its neighbour is slow', async () => {
    const apps = [
      { module: handlesSigterm },
      {
        module: scriptModule([
          call('signal_watch', SIGTERM_BIT),
          ...waiting,
          call('signal_next', 720),
          ...waiting,
        ]),
        componentId: OTHER,
      },
    ];
    const world = await KernelWorld.boot({ apps });
    await world.clock.advance(100);
    void world.services('restart');
    await world.clock.advance(499);
    expect(world.monitorCalls).not.toContain('restart');
    await world.clock.advance(1);
    expect(world.monitorCalls).toContain('restart');
    expect(world.runningCompartments).toBe(0);
  });
});

describe('an app that asked to be watched', () => {
  it('is ended, reported and started again when it does not say that it is alive', async () => {
    const world = await KernelWorld.boot({
      apps: [{ module: scriptModule([call('watchdog_set', 1000), ...waiting]) }],
    });
    await world.clock.advance(999);
    expect(world.reports).toEqual([]);
    await world.clock.advance(1);
    expect(world.reports).toMatchObject([{ kind: 'AppCrash', trap: 'watchdog', uptime: 1000 }]);
    await world.clock.advance(1000);
    expect(await stateOf(world)).toMatchObject([{ state: 'running', restarts: 1 }]);
  });

  it('is left in peace for as long as it does, and when it asks no longer', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    const watchdog = (milliseconds: number): Promise<PortValue> =>
      world.callAs('compartment:1', 'watchdog', milliseconds);
    await watchdog(1000);
    for (let turn = 0; turn < 20; turn++) {
      await world.clock.advance(900);
      await watchdog(1000);
    }
    await watchdog(0);
    await world.clock.advance(HOUR);
    expect(world.reports).toEqual([]);
  });
});

describe('an app that traps', () => {
  const memory = { stackPointer: 64, heapStart: null, size: 65_536, stack: Uint8Array.of(1, 2, 3) };
  const trap = { kind: 'trap', trap: 'unreachable', frames: [], memory };
  const reportWith = async (capabilities: Readonly<Record<string, unknown>>) => {
    const world = await KernelWorld.boot({ apps: [{ module: waits, capabilities }] });
    await world.callAs('compartment:1', 'exited', trap);
    await world.clock.advance(1);
    return world.reports[0]?.memory;
  };

  it('is reported with its registers, and with its stack only where its manifest says so', async () => {
    expect(await reportWith({})).toEqual({ ...memory, stack: new Uint8Array(0) });
    expect(await reportWith({ MemorySnapshot: true })).toEqual(memory);
  });

  it('tells no more of its memory than a report has room for', async () => {
    const world = await KernelWorld.boot({
      apps: [{ module: waits, capabilities: { MemorySnapshot: true } }],
    });
    const flood = { ...trap, memory: { ...memory, stack: new Uint8Array(2049) } };
    await expect(world.callAs('compartment:1', 'exited', flood)).rejects.toThrow();
    expect(world.reports).toEqual([]);
  });
});

describe('an app that a debugger holds', () => {
  it('has as long after it is let go as it had before, and only the hardware can say so', async () => {
    const world = await KernelWorld.boot({
      apps: [{ module: scriptModule([call('watchdog_set', 1000), ...waiting]) }],
    });
    await world.clock.advance(400);
    await expect(world.callAs('compartment:1', 'compartmentHeld', 1, true)).rejects.toThrow();
    await world.callAs('hardware', 'compartmentHeld', 1, true);
    await world.clock.advance(HOUR);
    expect(world.reports).toEqual([]);
    await world.callAs('hardware', 'compartmentHeld', 1, false);
    await world.clock.advance(500);
    expect(world.reports).toEqual([]);
    await world.clock.advance(300);
    expect(world.reports).toMatchObject([{ trap: 'watchdog' }]);
  });
});

describe('an update', () => {
  const listens = { SystemEventNotifications: true };
  const defers = { ...listens, SoftwareUpdateDeferral: true };

  /** A device whose app has registered for all events; `next` is what it is told. */
  async function deviceWith(capabilities: Readonly<Record<string, unknown>>) {
    const world = await KernelWorld.boot({ apps: [{ module: waits, capabilities }] });
    const app = (method: string, ...args: readonly PortValue[]): Promise<PortValue> =>
      world.callAs('compartment:1', method, ...args);
    await app('systemEvents', 7);
    return { world, app, next: () => app('nextEvent') };
  }
  const event = (number: number, status: number, updateType: number, minutes = 0) => ({
    kind: 'system',
    event: number,
    status,
    updateType,
    minutes,
  });

  /** Asks whether an update may be installed, and lets the time for answers pass. */
  async function ready(world: KernelWorld, type = 'application'): Promise<PortValue> {
    const answer = world.services('updateReady', type);
    await world.clock.advance(10_000);
    return answer;
  }

  it('is announced to who registered, with the capability', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    await expect(world.callAs('compartment:1', 'systemEvents', 7)).rejects.toMatchObject({
      code: 'AccessDenied',
      field: 'Capabilities.SystemEventNotifications',
    });
    const { world: device, app, next } = await deviceWith(listens);
    await expect(app('systemEvents', 7)).rejects.toMatchObject({ code: 'NotAllowedNow' });
    await device.services('updateState', 'none');
    await device.services('updateState', 'started');
    expect(await next()).toEqual(event(4, 2, 0));
    expect(await next()).toEqual(event(2, 2, 0));
    await expect(app('deferUpdate', 1, 5)).rejects.toMatchObject({
      code: 'AccessDenied',
      field: 'Capabilities.SoftwareUpdateDeferral',
    });
  });

  it('waits for nobody where nobody may put it off', async () => {
    const { world, next } = await deviceWith(listens);
    expect(await world.services('updateReady', 'application')).toBe(0);
    expect(await next()).toEqual(event(1, 2, 1));
  });

  it('is put off while it is pending, and not asked again meanwhile', async () => {
    const { world, app, next } = await deviceWith(defers);
    await expect(app('deferUpdate', 1, 30)).rejects.toMatchObject({ code: 'NotAllowedNow' });
    const answer = world.services('updateReady', 'system');
    expect(await next()).toEqual(event(1, 1, 2, 1440));
    await app('deferUpdate', 1, 30);
    await world.clock.advance(10_000);
    expect(await answer).toBe(30 * MINUTE - 10_000);
    expect(await next()).toEqual(event(1, 3, 2));
    await expect(app('deferUpdate', 1, 30)).rejects.toMatchObject({ code: 'NotAllowedNow' });
    await world.clock.advance(10 * MINUTE);
    expect(await world.services('updateReady', 'system')).toBe(20 * MINUTE - 10_000);
    await world.clock.advance(20 * MINUTE);
    expect(await ready(world, 'system')).toBe(0);
    expect(await next()).toMatchObject({ status: 1 });
    expect(await next()).toEqual(event(1, 2, 2));
  });

  it('comes after a day at the latest, however often it is put off', async () => {
    const { world, app } = await deviceWith(defers);
    const begun = world.clock.monotonic();
    for (;;) {
      const answer = world.services('updateReady', 'application');
      await world.clock.advance(1);
      await app('deferUpdate', 1, 1_000_000).catch(() => undefined);
      await world.clock.advance(10_000);
      const left = Number(await answer);
      if (left === 0) break;
      await world.clock.advance(Math.min(left, HOUR));
    }
    expect(world.clock.monotonic() - begun).toBeLessThan(24 * HOUR + MINUTE);
  });

  it('goes on as soon as the app says so', async () => {
    const { world, app } = await deviceWith(defers);
    const answer = world.services('updateReady', 'application');
    await app('deferUpdate', 1, 600);
    await world.clock.advance(10_000);
    expect(Number(await answer)).toBeGreaterThan(0);
    await app('resumeUpdate', 1);
    expect(await ready(world)).toBe(0);
  });
});

describe('what only one app may have', () => {
  it.each<[string, string, Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]>([
    ['a GPIO', 'RequestedGpioAlreadyInUse', { Gpio: [8] }, { Gpio: [8] }],
    ['a block of four GPIOs', 'GpioBlockConflict', { Gpio: [8] }, { Gpio: [11] }],
    ['the pins of a PWM controller', 'GpioBlockConflict', { Pwm: ['PWM-CONTROLLER-1'] }, { Gpio: [5] }],
    ['a UART', 'RequestedPeripheralAlreadyInUse', { Uart: ['ISU0'] }, { Uart: ['ISU0'] }],
    ['a serial unit', 'RequestedPeripheralAlreadyInUse', { Uart: ['ISU0'] }, { I2cMaster: ['ISU0'] }],
    [
      'an ADC',
      'RequestedPeripheralAlreadyInUse',
      { Adc: ['ADC-CONTROLLER-0'] },
      { Adc: ['ADC-CONTROLLER-0'] },
    ],
    ['a pin of a UART', 'RequestedGpioAlreadyInUse', { Uart: ['ISU0'] }, { Gpio: [29] }],
    ['a pin of the ADC', 'RequestedGpioAlreadyInUse', { Gpio: [41] }, { Adc: ['ADC-CONTROLLER-0'] }],
    [
      'a TCP port',
      'DuplicateTcpUdpPortDetected',
      { AllowedTcpServerPorts: [80] },
      { AllowedTcpServerPorts: [80] },
    ],
    [
      'a UDP port',
      'DuplicateTcpUdpPortDetected',
      { AllowedUdpServerPorts: [53] },
      { AllowedUdpServerPorts: [53] },
    ],
  ])('%s is refused to the second: %s', async (_what, code, first, second) => {
    const world = await KernelWorld.boot({ apps: [{ module: waits, capabilities: first }] });
    world.install({ module: waits, capabilities: second, componentId: OTHER });
    await expect(world.services('appInstalled', OTHER)).rejects.toMatchObject({ code });
    expect(world.reports).toMatchObject([{ componentId: OTHER, trap: `refused: ${code}` }]);
    expect(await stateOf(world)).toMatchObject([{ state: 'running' }, { state: 'stopped' }]);
    // Its owner may update itself; once it is gone the other may have it.
    await world.services('appInstalled', COMPONENT);
    await world.services('appRemoved', COMPONENT);
    await world.services('appInstalled', OTHER);
  });

  it('is shared where nothing forbids it', async () => {
    const world = await KernelWorld.boot({
      apps: [{ module: waits, capabilities: { Gpio: [8], AllowedTcpServerPorts: [80] } }],
    });
    const capabilities = { Gpio: [12], AllowedUdpServerPorts: [80], AllowedConnections: ['a.test'] };
    world.install({ module: waits, capabilities, componentId: OTHER });
    await world.services('appInstalled', OTHER);
    expect(world.runningCompartments).toBe(2);
  });
});

describe('restarting the device', () => {
  it('needs ForceReboot', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    await expect(world.callAs('compartment:1', 'reboot')).rejects.toMatchObject({
      code: 'AccessDenied',
      field: 'Capabilities.PowerControls',
    });
    expect(world.monitorCalls).not.toContain('restart');
    const allowed = await KernelWorld.boot({
      apps: [{ module: waits, capabilities: { PowerControls: ['ForceReboot'] } }],
    });
    await allowed.callAs('compartment:1', 'reboot');
    await allowed.clock.advance(0);
    expect(allowed.monitorCalls).toContain('restart');
  });
});

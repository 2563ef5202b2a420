import { utf8Encode, type PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { KernelWorld } from './testing/kernel-world.ts';
import { COMPONENT, IMAGE, TENANT, imported, scriptModule } from './testing/test-app.ts';
import { buildModule, op } from './testing/wasm-builder.ts';

const MINUTE = 60_000;
const exits = (code: number): Uint8Array =>
  buildModule({
    imports: [imported('wasi_snapshot_preview1', 'proc_exit')],
    start: [...op.i32(code), ...op.call(0)],
  });
/** Waits for nothing, for ever: an app that is up. */
const waits = scriptModule(
  [{ call: ['wasi_snapshot_preview1', 'poll_oneoff'], args: [64, 256, 1, 512] }],
  // A subscription to the monotonic clock, due after an hour.
  [
    {
      offset: 64,
      bytes: Uint8Array.of(
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        160,
        184,
        48,
        70,
        3,
      ),
    },
  ],
);
/** What an app asks for when it speaks TLS. */
const tlsWish = (identity: string) => ({
  host: 'cloud.test',
  port: 443,
  identity,
  isHttp: false,
  isDirect: false,
  peer: null,
});
const traps = buildModule({ start: [...op.i32(0x7fffffff), ...op.i32(1), ...op.store] });

const app = (list: PortValue): Readonly<Record<string, PortValue>> => {
  const [first] = list as readonly Readonly<Record<string, PortValue>>[];
  return first ?? {};
};

describe('the life of an app', () => {
  it('starts at boot and shows as running', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    await world.clock.advance(5000);
    expect(app(await world.services('appList'))).toEqual({
      componentId: COMPONENT,
      imageId: IMAGE,
      name: 'tried',
      state: 'running',
      restarts: 0,
      uptime: 5000,
      cpuTime: null,
    });
    expect(world.reports).toEqual([]);
  });

  it('leaves a report of every exit in flash, and is started again ever more slowly', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: exits(7) }] });
    expect(world.reports).toMatchObject([
      {
        kind: 'AppExit',
        exitCode: 7,
        trap: null,
        frames: [],
        componentId: COMPONENT,
        imageId: IMAGE,
        osVersion: '26.11.0',
        count: 1,
      },
    ]);
    expect(app(await world.services('appList'))).toMatchObject({ state: 'backoff', restarts: 0 });
    const starts = (): number => world.log.filter((line) => line.includes('started')).length;
    const seen: number[] = [];
    for (let second = 0; second <= 16; second += 1) {
      seen.push(starts());
      await world.clock.advance(1000);
    }
    // Restarts 1, 2, 4 and 8 seconds after each death.
    expect(seen).toEqual([1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5]);
    await world.clock.advance(24 * 60 * MINUTE);
    // Then at most every five minutes.
    expect(starts()).toBeGreaterThan(280);
    expect(starts()).toBeLessThan(300);
  });

  it('says how it trapped and where', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: traps }] });
    const [report] = world.reports;
    expect(report).toMatchObject({ kind: 'AppCrash', trap: 'memory access out of bounds', exitCode: null });
    // The store is the third instruction of the only function: the byte that holds its opcode.
    const offset = traps.findIndex(
      (_byte, at) => traps[at] === 0x36 && traps[at + 1] === 0x02 && traps[at + 2] === 0x00,
    );
    expect(report?.frames).toEqual([{ function: 0, offset }]);
  });

  it.each([
    ['unreachable', [...op.unreachable]],
    ['integer divide by zero', [...op.i32(1), ...op.i32(0), 0x6d, ...op.drop]],
    ['call stack exhausted', [...op.call(0)]],
  ])('names the trap: %s', async (trap, start) => {
    const world = await KernelWorld.boot({ apps: [{ module: buildModule({ start }) }] });
    expect(world.reports[0]).toMatchObject({ kind: 'AppCrash', trap });
  });

  it('merges identical deaths into one report until somebody has read it', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: exits(7) }] });
    await world.clock.advance(4000);
    expect(world.reports).toMatchObject([{ count: 3 }]);
    await world.services('recordList', 50);
    await world.clock.advance(5000);
    expect(world.reports).toMatchObject([{ count: 3 }, { count: 1 }]);
    const ids = new Set(world.reports.map(({ reportId }) => reportId.join()));
    expect(ids.size).toBe(2);
    await world.clock.advance(24 * 60 * MINUTE);
    expect(Math.max(...world.reports.map(({ count }) => count))).toBe(8);
  });

  it('takes its last lines along, the last twenty, and not what would break the log', async () => {
    const text = Array.from({ length: 30 }, (_, line) => `line ${line}\u001b[2J\n`).join('');
    const bytes = utf8Encode(text);
    const world = await KernelWorld.boot({
      apps: [
        {
          module: scriptModule(
            [{ call: ['sevenfold', 'log_write'], args: [64, bytes.length] }],
            [{ offset: 64, bytes }],
          ),
        },
      ],
    });
    expect(world.reports[0]?.log).toEqual(
      Array.from({ length: 20 }, (_, line) => `line ${line + 10}\uFFFD[2J`),
    );
    expect(world.log).toContain('app tried: line 29\uFFFD[2J');
  });

  it('floods neither log nor memory of others', async () => {
    const bytes = utf8Encode('flood\n');
    const module = buildModule({
      imports: [imported('sevenfold', 'log_write')],
      data: [{ offset: 64, bytes }],
      start: Array.from({ length: 400 }, () => [
        ...op.i32(64),
        ...op.i32(bytes.length),
        ...op.call(0),
        ...op.drop,
      ]).flat(),
    });
    const world = await KernelWorld.boot({ apps: [{ module }] });
    expect(world.log.filter((line) => line === 'app tried: flood').length).toBe(50);
  });

  it('is replaced when a new image is installed, and gone when it is removed', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: exits(1) }] });
    const imageId = '88888888-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    world.install({ module: waits, imageId });
    await world.services('appInstalled', COMPONENT);
    await world.clock.advance(MINUTE);
    expect(app(await world.services('appList'))).toMatchObject({ imageId, state: 'running', restarts: 0 });
    // The restart of the old image that was planned never came.
    expect(world.reports).toMatchObject([{ imageId: IMAGE, count: 1 }]);
    await world.services('appRemoved', COMPONENT);
    expect(await world.services('appList')).toEqual([]);
    expect(world.runningCompartments).toBe(0);
    await expect(world.services('appRemoved', COMPONENT)).rejects.toMatchObject({
      code: 'NoSuchApplication',
    });
  });

  it('finds its pins free when it is replaced in the very moment of its death', async () => {
    const opensThenDies = (code: number): Uint8Array =>
      buildModule({
        imports: [imported('sevenfold', 'gpio_open'), imported('wasi_snapshot_preview1', 'proc_exit')],
        start: [
          ...[8, 1, 0, 0, 1024].flatMap((value) => op.i32(value)),
          ...op.call(0),
          // The errno of opening, and where that is 0 the code.
          ...op.i32(code),
          ...op.add,
          ...op.call(1),
        ],
      });
    const capabilities = { Gpio: [8] };
    const world = await KernelWorld.boot({ apps: [{ module: opensThenDies(100), capabilities }] });
    await world.clock.advance(1000);
    const imageId = '88888888-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    world.install({ module: opensThenDies(100), capabilities, imageId });
    await Promise.all([world.clock.advance(1000), world.services('appInstalled', COMPONENT)]);
    await world.clock.advance(10_000);
    expect(new Set(world.reports.map(({ exitCode }) => exitCode))).toEqual(new Set([100]));
    expect(world.log.filter((line) => line.includes('while ending'))).toEqual([]);
  });

  it('that is ended while something opens for it leaves neither pin nor connection behind', async () => {
    const held: (() => void)[] = [];
    let isHolding = false;
    const world = await KernelWorld.boot({
      apps: [{ module: waits, capabilities: { Gpio: [8], AllowedConnections: ['cloud.test'] } }],
      hardwareDelay: (method) =>
        isHolding && (method === 'bus' || method === 'tlsConnect')
          ? new Promise((resolve) => held.push(resolve))
          : undefined,
    });
    isHolding = true;
    const opening = [
      world.callAs('compartment:1', 'gpioOpen', 8, 'output', 1),
      world.callAs('compartment:1', 'tlsConnect', tlsWish('none')),
    ].map((call) => call.catch((error: { code: string }) => error.code));
    await world.clock.advance(0);
    expect(held).toHaveLength(2);
    await world.services('appRemoved', COMPONENT);
    isHolding = false;
    for (const resume of held) resume();
    expect(await Promise.all(opening)).toEqual(['NotOpen', 'NotOpen']);
    expect(world.outputs).toEqual([]);
    expect(world.servers).toMatchObject([{ isClosed: true }]);
    await world.services('appInstalled', COMPONENT);
    const again = world.callAs('compartment:2', 'gpioOpen', 8, 'output', 1);
    await world.clock.advance(0);
    for (const resume of held) resume();
    expect(await again).toBeNull();
  });

  it('speaks in the name of the device only as long as that is trusted', async () => {
    const capabilities = {
      AllowedConnections: ['cloud.test'],
      DeviceAuthentication: TENANT,
    };
    const world = await KernelWorld.boot({ apps: [{ module: waits, capabilities }] });
    const identity = (tenantId: string) =>
      world.services('setClientIdentity', { tenantId, chain: [Uint8Array.of(1)], key: Uint8Array.of(2) });
    const connect = (as: string) =>
      world.callAs('compartment:1', 'tlsConnect', tlsWish(as)) as Promise<number>;
    await identity(TENANT);
    const [named, nameless] = [await connect('device'), await connect('none')];
    // A new certificate of the same tenant ends nothing.
    await identity(TENANT);
    expect(world.servers.map(({ isClosed }) => isClosed)).toEqual([false, false]);
    await world.services('setClientIdentity', null);
    expect(world.servers.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    await expect(world.callAs('compartment:1', 'tlsWrite', named, Uint8Array.of(1))).rejects.toMatchObject({
      code: 'NotOpen',
    });
    await world.callAs('compartment:1', 'tlsWrite', nameless, Uint8Array.of(1));
    await identity(TENANT);
    await connect('device');
    await identity('99999999-2222-4333-8444-555555555555');
    expect(world.servers.map(({ isClosed }) => isClosed)).toEqual([true, false, true]);
  });

  it('does not wear the flash out: what it may write grows with time', async () => {
    const world = await KernelWorld.boot({
      apps: [{ module: waits, capabilities: { MutableStorage: { SizeKB: 64 } } }],
    });
    let written = 0;
    const write = (bytes: number) =>
      world.callAs('compartment:1', 'mutableWrite', new Uint8Array(bytes)).then(() => (written += 1));
    // A burst goes through at once, whether it is many small writes or some large ones.
    for (let n = 0; n < 256; n++) await write(10);
    for (let n = 0; n < 15; n++) await write(65_536);
    expect(written).toBe(271);
    for (let n = 0; n < 5; n++) void write(10);
    await world.clock.advance(24_000);
    expect(written - 271).toBeLessThanOrEqual(3);
    await world.clock.advance(60_000);
    expect(written - 271).toBe(5);
    // Nor by being replaced again and again.
    await world.services('appInstalled', COMPONENT);
    void world.callAs('compartment:2', 'mutableWrite', new Uint8Array(65_536)).then(() => (written += 1));
    await world.clock.advance(60_000);
    expect(written - 271).toBe(5);
    await world.clock.advance(600_000);
    expect(written - 271).toBe(6);
  });

  it.each([
    ['SF-V1', 4, 'running'],
    ['SF-V1', 16, 'stopped'],
    ['SF-V1L', 16, 'running'],
    ['SF-V1L', 17, 'stopped'],
  ] as const)(
    'has as much memory as its chip gives an app: on %s %i pages of 64 KiB are %s',
    async (chipSku, max, state) => {
      const world = await KernelWorld.boot({
        chipSku,
        apps: [{ module: buildModule({ memory: { min: 1, max } }) }],
      });
      await world.clock.advance(1000);
      const [app] = (await world.services('appList')) as readonly { state: string }[];
      expect(app?.state === 'stopped' ? 'stopped' : 'running').toBe(state);
    },
  );

  it('is refused, reported and not tried again when its image may not run', async () => {
    const other = 'bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    const world = await KernelWorld.boot({
      apps: [
        { module: buildModule({ memory: { min: 1, max: 100 } }) },
        { module: waits, componentId: other, imageId: other },
      ],
    });
    await world.clock.advance(MINUTE);
    expect(await world.services('appList')).toMatchObject([
      { componentId: COMPONENT, state: 'stopped' },
      { componentId: other, state: 'running' },
    ]);
    expect(world.reports).toMatchObject([
      { kind: 'AppCrash', trap: 'refused: MemoryOverQuota', imageId: IMAGE, count: 1 },
    ]);
    await expect(world.services('appInstalled', COMPONENT)).rejects.toMatchObject({
      code: 'MemoryOverQuota',
    });
    world.install({ module: waits, manifest: { TargetApplicationRuntimeVersion: 17 } });
    await expect(world.services('appInstalled', COMPONENT)).rejects.toMatchObject({
      code: 'IncompatibleApplicationRuntime',
    });
    world.install({ module: waits, manifest: { ComponentId: other } });
    await expect(world.services('appInstalled', COMPONENT)).rejects.toMatchObject({
      code: 'ComponentMismatch',
    });
    world.install({ module: waits, manifest: { ApplicationType: 'RealTimeCapable', CmdArgs: [] } });
    await expect(world.services('appInstalled', COMPONENT)).rejects.toMatchObject({
      code: 'NotAnElf',
    });
  });

  it('is reported when the engine refuses its module, and does not keep the kernel from running', async () => {
    // `_start` would return without the value that `drop` takes: no engine compiles it.
    const world = await KernelWorld.boot({ apps: [{ module: buildModule({ start: [...op.drop] }) }] });
    expect(world.reports).toMatchObject([{ kind: 'AppCrash', trap: expect.stringContaining('not started') }]);
    expect(app(await world.services('appList'))).toMatchObject({ state: 'backoff' });
  });

  it('is reported and restarted when its thread ends under it', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    await world.callAs('hardware', 'compartmentEnded', 1, 'out of memory');
    await world.clock.advance(2000);
    expect(world.reports).toMatchObject([{ kind: 'AppCrash', trap: 'compartment lost: out of memory' }]);
    expect(app(await world.services('appList'))).toMatchObject({ state: 'running', restarts: 1 });
    await expect(world.callAs('hardware', 'appList')).rejects.toMatchObject({ code: 'UnknownCall' });
  });

  it('waits a minute after the watchdog has reset the device', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }], resetReason: 'watchdog' });
    expect(await world.services('appList')).toEqual([]);
    expect(world.log.join('\n')).toContain('safe mode');
    await world.clock.advance(MINUTE);
    expect(app(await world.services('appList'))).toMatchObject({ state: 'running' });
  });

  it('is not lost to a flash that refuses: the app goes on', async () => {
    const world = await KernelWorld.boot({
      apps: [{ module: exits(3) }],
      monitorFault: (method) => {
        if (method === 'recordAppend')
          throw Object.assign(new Error('The records are full.'), { code: 'RecordsFull' });
      },
    });
    expect(world.log).toContain('the death of app tried could not be recorded: The records are full.');
    await world.clock.advance(1000);
    expect(app(await world.services('appList'))).toMatchObject({ restarts: 1 });
  });
});

describe('who may call the kernel', () => {
  it('answers the services alone, and passes on only what the table names', async () => {
    const world = await KernelWorld.boot();
    expect(await world.services('attest', new Uint8Array(32))).toEqual({ passed: 'attest' });
    for (const caller of ['gateway', 'monitor', 'compartment:9', '']) {
      await expect(world.callAs(caller, 'appList')).rejects.toMatchObject({ code: 'CallerNotAllowed' });
      await expect(world.callAs(caller, 'attest', new Uint8Array(32))).rejects.toMatchObject({
        code: 'CallerNotAllowed',
      });
    }
    for (const method of [
      'mutableRead',
      'loadApplication',
      'watchdogKick',
      'gpioOpen',
      'toString',
      '__proto__',
    ]) {
      await expect(world.services(method)).rejects.toMatchObject({ code: 'UnknownCall' });
    }
    await expect(world.services('attest')).rejects.toMatchObject({ code: 'BadArgument' });
    await expect(
      world.services('setClientIdentity', { tenantId: 1, chain: [], key: new Uint8Array(1) }),
    ).rejects.toMatchObject({
      code: 'BadArgument',
      field: 'identity.tenantId',
    });
  });

  it('answers no compartment that has been ended', async () => {
    const world = await KernelWorld.boot({ apps: [{ module: waits }] });
    expect(await world.callAs('compartment:1', 'log', 'still here')).toBeNull();
    await expect(world.callAs('compartment:1', 'appList')).rejects.toMatchObject({ code: 'UnknownCall' });
    await expect(world.callAs('compartment:2', 'log', 'forged')).rejects.toMatchObject({
      code: 'CallerNotAllowed',
    });
    await world.services('appRemoved', COMPONENT);
    await expect(world.callAs('compartment:1', 'log', 'late')).rejects.toMatchObject({
      code: 'CallerNotAllowed',
    });
  });

  it('feeds the watchdog for as long as it comes round', async () => {
    const world = await KernelWorld.boot();
    const kicks = (): number => world.monitorCalls.filter((method) => method === 'watchdogKick').length;
    const before = kicks();
    await world.clock.advance(MINUTE);
    expect(kicks() - before).toBe(4);
  });
});

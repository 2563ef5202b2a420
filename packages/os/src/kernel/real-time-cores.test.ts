import { readFileSync } from 'node:fs';
import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { COMPONENT } from './testing/test-app.ts';
import { ECHO, ECHO_ELF, echoApp } from './testing/echo-app.ts';
import { KernelWorld } from './testing/kernel-world.ts';

/** What core `index` says on its debug UART from now on. */
function listen(world: KernelWorld, index = 0): () => string {
  const bytes: number[] = [];
  world.chip.realTimeCores[index]?.onDebugByte((byte) => bytes.push(byte));
  return () => String.fromCharCode(...bytes);
}
const stateOf = (world: KernelWorld): readonly string[] => world.chip.realTimeCores.map(({ state }) => state);
const listed = async (world: KernelWorld): Promise<unknown> => world.services('appList');
const OTHER = '105180bc-402f-4cb3-a662-72937dbcde47';

describe('an app on a real-time core', () => {
  it('is started at boot from its image, says what it has to say, and is listed', async () => {
    const world = await KernelWorld.boot({ apps: [echoApp()] });
    const said = listen(world);
    await world.clock.advance(100);
    expect(said()).toBe('echo is here\n');
    expect(stateOf(world)).toEqual(['running', 'off']);
    expect(await listed(world)).toMatchObject([
      { componentId: ECHO, name: 'echo', state: 'running', cpuTime: null },
    ]);
    expect(world.log).toContain('app echo (88888888) started on core 0');
  });

  it('has the peripherals that its manifest names while it runs, alone', async () => {
    const world = await KernelWorld.boot({ apps: [echoApp()] });
    const { firewall } = world.chip.bus;
    expect(firewall.allows('realtime0', 'write', 'gpio2')).toBe(true);
    expect(firewall.allows('realtime0', 'write', 'gpio3')).toBe(false);
    expect(firewall.allows('normal', 'read', 'gpio2')).toBe(false);
    await world.services('appRemoved', ECHO);
    expect(stateOf(world)).toEqual(['off', 'off']);
    expect(firewall.allows('realtime0', 'read', 'gpio2')).toBe(false);
  });

  it('shares no block with an app on another core: the second is refused, as among apps of one core', async () => {
    const world = await KernelWorld.boot({ apps: [echoApp()] });
    for (const [capabilities, code] of [
      [{ Gpio: [8] }, 'RequestedPeripheralAlreadyInUse'],
      [{ Gpio: [11] }, 'RequestedPeripheralAlreadyInUse'],
      [{ ExternalInterrupt: ['EINT10'] }, 'RequestedPeripheralAlreadyInUse'],
      [{ Pwm: ['PWM-CONTROLLER-2'] }, 'RequestedPeripheralAlreadyInUse'],
    ] as const) {
      world.install({
        module: ECHO_ELF,
        componentId: OTHER,
        capabilities,
        manifest: { ApplicationType: 'RealTimeCapable', CmdArgs: [] },
      });
      await expect(world.services('appInstalled', OTHER)).rejects.toMatchObject({ code });
      expect(world.reports.at(-1)).toMatchObject({ componentId: OTHER, trap: `refused: ${code}` });
    }
    expect(stateOf(world)).toEqual(['running', 'off']);
  });

  it('finds a core, or none: two run at a time', async () => {
    const world = await KernelWorld.boot({ apps: [echoApp()] });
    const app = (componentId: string) => echoApp({ componentId, capabilities: { Gpio: [] } });
    world.install(app(OTHER));
    await world.services('appInstalled', OTHER);
    expect(stateOf(world)).toEqual(['running', 'running']);
    world.install(app(COMPONENT));
    await world.services('appInstalled', COMPONENT);
    expect(world.reports.at(-1)).toMatchObject({
      componentId: COMPONENT,
      trap: 'not started: NoCoreAvailable',
    });
    // When one of the two goes, it has its core the next time that it is tried.
    await world.services('appRemoved', OTHER);
    await world.clock.advance(2000);
    expect(stateOf(world)).toEqual(['running', 'running']);
  });

  it('is replaced by its next image, on the same core', async () => {
    const world = await KernelWorld.boot({ apps: [echoApp()] });
    await world.clock.advance(50);
    world.install(echoApp({ imageId: '77777777-bbbb-4ccc-8ddd-eeeeeeeeeeee' }));
    const said = listen(world);
    await world.services('appInstalled', ECHO);
    await world.clock.advance(50);
    expect(said()).toBe('echo is here\n');
    expect(await listed(world)).toMatchObject([
      { imageId: '77777777-bbbb-4ccc-8ddd-eeeeeeeeeeee', state: 'running' },
    ]);
    expect(stateOf(world)).toEqual(['running', 'off']);
  });

  it.each([
    ['undefined instruction', [0x2fc]],
    ['undefined instruction (lockup)', [0x2fc, 0x1d0]],
  ])('that fails at once is reported, and tried ever more slowly: %s', async (trap, places) => {
    const module = ECHO_ELF.slice();
    // UDF in place of `start`, and of the handler that all faults have. The segment begins 0x1000 bytes into the file.
    for (const at of places) module.set([0x00, 0xde], 0x1000 + at);
    const world = await KernelWorld.boot({ apps: [echoApp({ module })] });
    await world.clock.advance(1500);
    expect(world.reports[0]).toMatchObject({ trap, core: { registers: expect.anything() } });
    expect(world.reports[0]?.core?.registers[15]).toBe(0x0010_02fc);
    await world.clock.advance(20_000);
    expect(await listed(world)).toMatchObject([{ state: expect.stringMatching(/backoff|running/) }]);
    const [app] = (await listed(world)) as [{ restarts: number }];
    expect(app.restarts).toBeGreaterThan(1);
    expect(app.restarts).toBeLessThan(8);
  });

  it('that its watchdog ends is reported as that, and told so when it starts again', async () => {
    const corpus = new URL('../../../silicon/src/cores/testdata/corpus/watchdog.elf', import.meta.url);
    const module = new Uint8Array(readFileSync(corpus));
    const world = await KernelWorld.boot({ apps: [echoApp({ module })] });
    const said = listen(world);
    await world.clock.advance(6000);
    expect(world.reports.map(({ trap, kind }) => [kind, trap])).toEqual([
      ['AppCrash', 'watchdog'],
      ['AppCrash', 'reset by the program'],
    ]);
    expect(said()).toMatch(/no more food[^]*cause 1[^]*cause 2[^]*done/);
    expect(await listed(world)).toMatchObject([{ state: 'running', restarts: 2 }]);
  });

  it.each([
    ['a', /^assertion failed: how == 'A', line \d+$/],
    ['i', /^nobody attached exception 86$/],
    ['n', /^bus fault at 0x00000000 \(lockup\)$/],
  ])('that gives up by itself is reported in its own words (%s)', async (letter, words) => {
    const corpus = new URL('../../../silicon/src/cores/testdata/corpus/faults.elf', import.meta.url);
    const world = await KernelWorld.boot({
      apps: [echoApp({ module: new Uint8Array(readFileSync(corpus)) })],
    });
    await world.clock.advance(50);
    world.chip.realTimeCores[0]?.debugInput(utf8Encode(letter));
    await world.clock.advance(100);
    expect(world.reports[0]?.trap).toMatch(words);
  });

  it.each([
    ['NotAnElf', Uint8Array.from({ length: 100 }, () => 0)],
    ['ElfWithoutVectors', ((file) => (file.set([4], 24), file))(ECHO_ELF.slice())],
  ])('is refused and reported where its program is none for a core: %s', async (code, module) => {
    const world = await KernelWorld.boot();
    world.install(echoApp({ module }));
    await expect(world.services('appInstalled', ECHO)).rejects.toMatchObject({ code });
    expect(world.reports.at(-1)).toMatchObject({ componentId: ECHO, trap: `refused: ${code}` });
    expect(stateOf(world)).toEqual(['off', 'off']);
  });

  it('that its own core cannot have is refused', async () => {
    const world = await KernelWorld.boot();
    world.install(echoApp({ capabilities: { Gpio: [80] } }));
    await expect(world.services('appInstalled', ECHO)).rejects.toMatchObject({
      code: 'UndefinedPeripheralInManifest',
    });
  });
});

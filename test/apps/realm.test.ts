import { beforeAll, describe, expect, it } from 'vitest';
import type { StageHandle, StageName } from '@sevenfold/formats';
import { bundleStage, withBundler } from '../../packages/device/src/stage-bundle.ts';
import { settableClock } from '../../packages/os/src/board/host-clock.ts';
import { inlineLoader } from '../../packages/os/src/board/inline-loader.ts';
import { processLoader } from '../../packages/os/src/board/process-loader.ts';
import type { StageLoader } from '../../packages/os/src/board/stage-loader.ts';
import { stageProgram } from '../../packages/os/src/board/testing/stage-program.fixture.ts';
import { threadLoader } from '../../packages/os/src/board/thread-loader.ts';
import { KernelWorld, type WorldOptions } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { COMPONENT } from '../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../packages/os/src/kernel/testing/wasm-builder.ts';
import { builtApps, type BuiltTestApps } from './built-apps.ts';
import { install } from './device-apps.ts';

let bundles: { readonly kernel: Uint8Array; readonly compartment: Uint8Array };
let apps: BuiltTestApps;
beforeAll(async () => {
  const [kernel, compartment] = await withBundler(() =>
    Promise.all([bundleStage('kernel', '1.0.0'), bundleStage('compartment', '1.0.0')]),
  );
  bundles = { kernel, compartment };
  apps = await builtApps();
});

/** Starts a program as the board does: as a bundle, in a realm that has nothing but its handle. */
function inRealm(
  loader: StageLoader,
  stage: StageName & keyof typeof bundles,
  ended: (() => Promise<void>)[] = [],
) {
  return async (handle: StageHandle): Promise<void> => {
    await loader.start(
      {
        stage,
        bundle: bundles[stage],
        ports: handle.ports,
        clock: settableClock(handle.clock),
        log: (line) => handle.log(line),
      },
      (loaded) => {
        ended.push(() => loaded.stop());
        handle.serve((caller, method, args) => loaded.portFor(caller).call(method, ...args));
      },
    );
  };
}

describe('kernel and compartments as bundles in realms of their own', () => {
  const inline = (): WorldOptions => ({
    networkError: 'ConnectionRefused',
    startKernel: inRealm(inlineLoader(), 'kernel'),
    startCompartment: inRealm(inlineLoader(), 'compartment'),
  });

  it('run an app as they do without them', async () => {
    const [, second] = apps.blink;
    if (second === undefined) throw new Error('There is no second version.');
    const world = await KernelWorld.boot(inline());
    await install(world, second);
    await world.clock.advance(4000);
    expect(world.pinChanges.slice(0, 3).map(({ level, time }) => [level, time])).toEqual([
      [1, 250],
      [0, 500],
      [1, 750],
    ]);
    expect(world.reports).toMatchObject([{ kind: 'AppCrash', trap: 'index out of bounds', uptime: 3250 }]);
    expect(world.reports[0]?.frames.length).toBeGreaterThan(3);
  });

  it('keep what libc and Applibs promise', async () => {
    const world = await KernelWorld.boot(inline());
    await install(world, apps.libc);
    await world.clock.advance(60_000);
    expect(world.log.filter((line) => line.includes('not ok'))).toEqual([]);
    expect(world.reports[0]).toMatchObject({ kind: 'AppExit', exitCode: 0 });
  });
});

describe('an app that never waits', () => {
  it.each([
    ['thread', () => threadLoader(stageProgram())],
    ['process', () => processLoader(stageProgram())],
  ] as const)('in a %s keeps neither the kernel from answering nor from ending it', async (_, makeLoader) => {
    const ended: (() => Promise<void>)[] = [];
    const world = await KernelWorld.boot({ startCompartment: inRealm(makeLoader(), 'compartment', ended) });
    world.install({ module: buildModule({ start: op.loop([]) }) });
    await world.services('appInstalled', COMPONENT);
    expect(await world.services('appList')).toMatchObject([{ state: 'running' }]);
    await world.services('appRemoved', COMPONENT);
    expect(await world.services('appList')).toEqual([]);
    await Promise.all(ended.map((end) => end()));
  });
});

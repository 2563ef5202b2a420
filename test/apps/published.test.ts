import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPLICATION_RUNTIME_VERSION } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { type TestApp } from '../../packages/os/src/kernel/testing/test-app.ts';

const ROOT = join(import.meta.dirname, 'testdata');
const runtimes = readdirSync(ROOT)
  .flatMap((name) => /^runtime-(\d+)$/.exec(name)?.[1] ?? [])
  .map(Number);

/** An app as it was built then, in a package of today. */
function published(runtime: number, name: string): TestApp {
  const folder = join(ROOT, `runtime-${runtime}`, name);
  const manifest = JSON.parse(readFileSync(join(folder, 'app_manifest.json'), 'utf8')) as {
    readonly ComponentId: string;
    readonly Capabilities: Readonly<Record<string, unknown>>;
  };
  return {
    module: new Uint8Array(readFileSync(join(folder, 'app.wasm'))),
    manifest: { ...manifest, TargetApplicationRuntimeVersion: runtime },
    capabilities: manifest.Capabilities,
    componentId: manifest.ComponentId,
  };
}

describe.each(runtimes)('an app of application runtime %i', (runtime) => {
  it('drives its pin on today’s OS', async () => {
    const world = await KernelWorld.boot({ apps: [published(runtime, 'clock')] });
    await world.clock.advance(1100);
    expect(world.pinChanges.filter(({ pin }) => pin === 8).map(({ time, level }) => [time, level])).toEqual([
      [250, 1],
      [500, 0],
      [750, 1],
      [1000, 0],
    ]);
    expect(world.log).toContain('app clock: clock: every 250 ms');
  });

  it('finds everything it was promised, and its file of yesterday', async () => {
    const world = await KernelWorld.boot({ apps: [published(runtime, 'everyday')] });
    await world.clock.advance(2500);
    const lines = world.log.filter((line) => line.startsWith('app everyday: '));
    expect(lines.slice(0, 4)).toEqual([
      'app everyday: run 1',
      'app everyday: 0 failures',
      'app everyday: run 2',
      'app everyday: 0 failures',
    ]);
    expect(world.reports[0]).toMatchObject({ kind: 'AppExit', exitCode: 0 });
  });
});

it('there are apps of the newest runtime', () => {
  expect(runtimes).toContain(APPLICATION_RUNTIME_VERSION);
});

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lookupPlaces } from '@sevenfold/formats';
import { buildApps, type BuiltApp } from '@sevenfold/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { install, newSigner } from './device-apps.ts';

const folder = fileURLToPath(new URL('faults', import.meta.url));
const source = readFileSync(new URL('faults/main.c', import.meta.url), 'utf8').split('\n');

/** Each mistake: how the app ends, where it says that it was made, and through which functions. */
const MISTAKES: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['null-read', 'null pointer', 'return nowhere->value', ['NullRead', 'Fail', 'main']],
  ['null-write', 'null pointer', 'nowhere->value = 1', ['NullWrite', 'Fail', 'main']],
  ['past-end', 'index out of bounds', 'return table[index]', ['PastEnd', 'Fail', 'main']],
  ['write-past-end', 'index out of bounds', 'local[index] = 7', ['WritePastEnd', 'Fail', 'main']],
  ['stack-overflow', 'memory access out of bounds', 'frame[depth & 511] =', ['Overflow', 'Overflow']],
  ['divide', 'integer divide by zero', 'return 7 / by', ['Divide', 'Fail', 'main']],
  ['far-away', 'memory access out of bounds', '0x7ffffff0u', ['FarAway', 'Fail', 'main']],
  ['wrong-function', 'indirect call type mismatch', 'return function(1, 2)', ['Callback', 'Fail', 'main']],
  ['abort', 'unreachable', 'abort()', ['Fail', 'main']],
];
/** Bytes of stack that every app has. */
const STACK_SIZE = 32 * 1024;
/** It makes no mistake but that it says nothing any more. */
const SILENT = 'silent';

let apps: readonly BuiltApp[];
beforeAll(async () => {
  const signer = newSigner();
  apps = await buildApps(
    [...MISTAKES.map(([what]) => what), SILENT].map((what) => ({
      sourceDir: folder,
      signer,
      manifestOverrides: { cmdArgs: [what] },
    })),
  );
});

/** Runs one of the apps for so many ms of virtual time. */
async function run(index: number, milliseconds: number): Promise<{ app: BuiltApp; world: KernelWorld }> {
  const app = apps[index];
  if (app === undefined) throw new Error('The SDK built nothing.');
  const world = await KernelWorld.boot();
  await install(world, app);
  await world.clock.advance(milliseconds);
  return { app, world };
}

describe('an app built as by default', () => {
  it.each(MISTAKES.map(([what, ...rest], index) => [what, index, ...rest] as const))(
    'ends where it makes its mistake, and its report says where that is: %s',
    async (what, index, trap, text, functions) => {
      const { app, world } = await run(index, 100);
      const [report] = world.reports;
      expect(report).toMatchObject({ kind: 'AppCrash', trap, imageId: app.imageId });
      // Nothing that comes after the mistake was done, and nothing beside it was overwritten.
      expect(report?.log).toEqual([`about to fail: ${what}`]);
      const places = (report?.frames ?? []).flatMap(({ offset }) => lookupPlaces(app.symbols, offset));
      const own = places.filter(({ file }) => file === 'main.c');
      const line = source.findIndex((each) => each.includes(text)) + 1;
      expect(own[0]).toMatchObject({ file: 'main.c', line });
      expect(places.map((place) => place.function).slice(0, functions.length)).toEqual(functions);
      // The stack comes first, then data, then heap; its manifest lets bytes of the stack go.
      const { stackPointer = null, heapStart = null, size = 0, stack } = report?.memory ?? {};
      expect(heapStart).toBeGreaterThan(STACK_SIZE);
      expect(size).toBeGreaterThanOrEqual(heapStart ?? size);
      if (what === 'stack-overflow') return;
      expect(stackPointer).toBeLessThanOrEqual(STACK_SIZE);
      expect(stack?.length).toBe(2048);
    },
  );

  it('that asked for a watchdog is ended when it says nothing any more', async () => {
    const { world } = await run(MISTAKES.length, 600);
    expect(world.reports).toMatchObject([{ kind: 'AppCrash', trap: 'watchdog', uptime: 500 }]);
  });
});

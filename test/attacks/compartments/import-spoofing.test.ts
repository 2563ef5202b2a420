import { describe, expect, it } from 'vitest';
import { imported } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, type DeclaredImport } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice } from './attack.ts';

const named = (module: string, name: string): DeclaredImport => ({ module, name, params: '', result: '' });

describe('a module that imports what no compartment offers', () => {
  it.each<[string, DeclaredImport, string]>([
    ['a function of the host', named('env', 'system'), 'UnknownImport'],
    ['what every object has', named('sevenfold', 'constructor'), 'UnknownImport'],
    ['what every object comes from', named('sevenfold', '__proto__'), 'UnknownImport'],
    ['from what every object has', named('__proto__', 'toString'), 'UnknownImport'],
    ['a name that differs in case', named('sevenfold', 'GPIO_SET'), 'UnknownImport'],
    ['a name with an end in it', named('sevenfold', 'gpio_set\0'), 'UnknownImport'],
    ['another version of WASI', named('wasi_unstable', 'proc_exit'), 'UnknownImport'],
    [
      'a call with another signature',
      { ...imported('sevenfold', 'gpio_set'), params: 'iI' },
      'WrongImportSignature',
    ],
    [
      'a call that would return a reference',
      { ...imported('sevenfold', 'gpio_set'), result: '' },
      'WrongImportSignature',
    ],
  ])('%s is refused', async (_what, declared, code) => {
    const device = await attackedDevice();
    await expect(device.attack(buildModule({ imports: [declared] }))).rejects.toMatchObject({ code });
    await device.world.clock.advance(1000);
    expect(device.reported).toEqual([`refused: ${code}`]);
    await device.expectUntouched();
  });
});

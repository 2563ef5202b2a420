import { describe, expect, it } from 'vitest';
import { IMPORT_TABLE, type ImportRow } from '../../../packages/os/src/kernel/import-table.ts';
import { scriptModule } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { depth } from '../../seeded.ts';
import { attackedDevice, step } from './attack.ts';

const PAGE = 65_536;
/** One before, at and past the end of memory, and where sums of 32 bits would come round. */
const EDGES = [PAGE - 8, PAGE - 1, PAGE, 0x7fff_ffff, -1, -8];
/** What stands for the other arguments: a small number that is a descriptor, a length and a pointer. */
const USUAL = 3;

describe('a pointer at the edge of memory', () => {
  it('as any argument of any call neither reaches beyond nor harms anybody', async () => {
    const device = await attackedDevice();
    let calls = 0;
    for (const [module, rows] of Object.entries(IMPORT_TABLE)) {
      for (const [name, row] of Object.entries(rows) as [string, ImportRow][]) {
        if (name === 'proc_exit' || name === 'check_failed') continue;
        for (let at = 0; at < row.params.length; at += depth() > 1 ? 1 : 2) {
          for (const edge of EDGES) {
            const args = Array.from(row.params, (type, index) => {
              const value = index === at ? edge : USUAL;
              return type === 'I' ? BigInt(value) : value;
            });
            await device.attack(scriptModule([step(module, name, ...args)]), {
              MutableStorage: { SizeKB: 8 },
              Gpio: [8],
            });
            await device.world.clock.advance(1);
            calls += 1;
          }
        }
      }
    }
    process.stdout.write(`edge pointers: ${calls} calls\n`);
    // Each ended with an errno or waits: none trapped, none met a defect of the program beside it.
    expect(device.reported.filter((end) => !end.startsWith('exit '))).toEqual([]);
    await device.expectUntouched();
  });
});

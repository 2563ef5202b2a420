import { describe, expect, it } from 'vitest';
import { IMPORT_TABLE, type ImportRow } from '../../../packages/os/src/kernel/import-table.ts';
import { scriptModule } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { depth, seededRandom } from '../../seeded.ts';
import { attackedDevice, step } from './attack.ts';

/** Sequences of calls: a million of them with SEVENFOLD_DEPTH above 1. */
const SEQUENCES = depth() > 1 ? 1_000_000 : 400;
const LONGEST = 20;
/** What arguments are made of: descriptors, flags, pointers and lengths, in bounds, at their edges and beyond. */
const VALUES = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 63, 64, 512, 1024, 2048, 65_528, 65_535, 65_536, 1_000_000, -1, -8,
  2_147_483_647, -2_147_483_648,
];
const ROWS = Object.entries(IMPORT_TABLE).flatMap(([module, rows]) =>
  Object.entries(rows)
    .filter(([name]) => name !== 'proc_exit' && name !== 'check_failed')
    .map(([name, row]: [string, ImportRow]) => ({ module, name, row })),
);

describe('calls at random', () => {
  it(
    'leave kernel and neighbour as they were, whatever their order and arguments',
    async () => {
      const random = seededRandom('system calls');
      const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
      let calls = 0;
      let device = await attackedDevice();
      const ends = new Set<string>();
      for (let sequence = 0; sequence < SEQUENCES; sequence++) {
        if (sequence % 400 === 399) {
          await device.expectUntouched();
          device = await attackedDevice();
        }
        const steps = Array.from({ length: 1 + Math.floor(random() * LONGEST) }, () => {
          const { module, name, row } = pick(ROWS);
          calls += 1;
          return step(
            module,
            name,
            ...Array.from(row.params, (type) =>
              random() < 0.1
                ? type === 'I'
                  ? BigInt(pick(VALUES))
                  : ('loaded' as const)
                : type === 'I'
                  ? BigInt(pick(VALUES))
                  : pick(VALUES),
            ),
          );
        });
        await device.attack(scriptModule(steps), {
          Gpio: [8],
          MutableStorage: { SizeKB: 8 },
          AllowedConnections: ['cloud.test'],
          SystemEventNotifications: true,
        });
        await device.world.clock.advance(1);
        for (const end of device.reported) ends.add(end.replace(/^exit .*/, 'exit'));
        device.world.records.clear();
      }
      process.stdout.write(`random calls: ${calls} in ${SEQUENCES} sequences\n`);
      expect([...ends]).toEqual(['exit']);
      await device.expectUntouched();
    },
    depth() > 1 ? 14_400_000 : 60_000,
  );
});

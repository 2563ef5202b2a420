import type { StageHandle } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { start } from '../../../packages/os/src/kernel/compartment/main.ts';
import { IMPORT_TABLE, type ImportRow } from '../../../packages/os/src/kernel/import-table.ts';
import { imported } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { depth, seededRandom } from '../../seeded.ts';
import { attackedDevice, type AttackedDevice } from './attack.ts';

/** Sequences of calls: a million of them with SEVENFOLD_DEPTH above 1. */
const SEQUENCES = depth() > 1 ? 1_000_000 : 10_000;
const LONGEST = 20;
/** Sequences that one compartment runs, one after the other, unless it waits for ever in one of them. */
const SEQUENCES_A_COMPARTMENT = 200;
const SEQUENCES_A_DEVICE = 5000;
/** Virtual ms without a sequence coming to its end after which the app waits for ever. */
const STUCK = 400;
/** Where a call may have written a descriptor; and as an argument, the i32 there. */
const OUT = 1024;
/** What arguments are made of: descriptors, flags, pointers and lengths, in bounds, at their edges and beyond. */
const VALUES = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 63, 64, 512, 1024, 2048, 65_528, 65_532, 65_535, 65_536, 1_000_000, -1,
  -8, 2_147_483_647, -2_147_483_648,
];
const LARGE_VALUES = [...VALUES.map(BigInt), 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];
const ROWS = Object.entries(IMPORT_TABLE).flatMap(([module, rows]) =>
  Object.entries(rows)
    .filter(([name]) => name !== 'proc_exit' && name !== 'check_failed')
    .map(([name, { params }]: [string, ImportRow]) => ({ declared: imported(module, name), params })),
);
/** The call that ends each sequence, with an argument that no other call has: the test counts them at the port. */
const MARK = ROWS.findIndex(({ declared }) => declared.name === 'power_profile');
const MARKED = 0x5e7e_0000;
const EXIT = imported('wasi_snapshot_preview1', 'proc_exit');
const CAPABILITIES = {
  Gpio: [8],
  Uart: ['ISU0'],
  I2cMaster: ['ISU1'],
  SpiMaster: ['ISU2'],
  Adc: ['ADC-CONTROLLER-0'],
  Pwm: ['PWM-CONTROLLER-0'],
  MutableStorage: { SizeKB: 8 },
  AllowedConnections: ['cloud.test'],
  AllowedTcpServerPorts: [8080],
  SystemEventNotifications: true,
  PowerControls: ['SetPowerProfile'],
  CertStore: true,
};

const random = seededRandom('system calls');
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

function argument(type: string): number[] {
  if (type === 'I') return op.i64(pick(LARGE_VALUES));
  return random() < 0.15 ? [...op.i32(OUT), ...op.load] : op.i32(pick(VALUES));
}

/** The code of one sequence, and how many calls it makes. */
function sequence(): { readonly code: readonly number[]; readonly calls: number } {
  const calls = 1 + Math.floor(random() * LONGEST);
  const code: number[] = [];
  for (let call = 0; call < calls; call++) {
    const index = Math.floor(random() * ROWS.length);
    for (const type of ROWS[index]?.params ?? '') code.push(...argument(type));
    code.push(...op.call(index), ...op.drop);
  }
  return { code, calls };
}

/** What has come through the ports of compartments. */
const seen = { marks: 0, exits: 0 };

/** A compartment whose marks are counted on their way to the kernel. */
function startCounted(handle: StageHandle): Promise<void> {
  const { kernel } = handle.ports;
  if (kernel === undefined) throw new Error('a compartment without a kernel');
  return start({
    ...handle,
    ports: {
      ...handle.ports,
      kernel: {
        call(method, ...args) {
          if (args[0] === MARKED) {
            seen.marks += 1;
            return Promise.resolve(null);
          }
          if (method === 'exited') seen.exits += 1;
          return kernel.call(method, ...args);
        },
      },
    },
  });
}

/** Runs sequences in one compartment, to its exit or until one of them waits for ever; how many were run. */
async function run(device: AttackedDevice, codes: readonly (readonly number[])[]): Promise<number> {
  seen.marks = 0;
  seen.exits = 0;
  const mark = [...op.i32(MARKED), ...op.call(MARK), ...op.drop];
  await device.attack(
    buildModule({
      imports: [...ROWS.map(({ declared }) => declared), EXIT],
      start: [...codes.flatMap((code) => [...code, ...mark]), ...op.i32(7), ...op.call(ROWS.length)],
      // What vectors, subscriptions and addresses are read from: pointers and lengths of the same kind.
      data: [512, 1032].map((offset) => ({
        offset,
        bytes: new Uint8Array(Int32Array.from({ length: 128 }, () => pick(VALUES)).buffer),
      })),
    }),
    CAPABILITIES,
  );
  let before = -1;
  for (let waited = 0; seen.exits === 0 && waited < STUCK; waited += 20) {
    if (seen.marks !== before) waited = 0;
    before = seen.marks;
    await device.world.clock.advance(20);
  }
  return seen.exits > 0 ? codes.length : seen.marks + 1;
}

describe('calls at random', () => {
  it(
    'leave kernel and neighbour as they were, whatever their order and arguments',
    async () => {
      const begun = performance.now();
      const total = { calls: 0, compartments: 0, sequences: 0 };
      const ends = new Set<string>();
      while (total.sequences < SEQUENCES) {
        const device = await attackedDevice({ startCompartment: startCounted });
        const waiting: ReturnType<typeof sequence>[] = [];
        for (let ran = 0; ran < Math.min(SEQUENCES, SEQUENCES_A_DEVICE);) {
          while (waiting.length < SEQUENCES_A_COMPARTMENT) waiting.push(sequence());
          const count = await run(
            device,
            waiting.map(({ code }) => code),
          );
          total.calls += waiting.splice(0, count).reduce((sum, { calls }) => sum + calls, 0);
          total.compartments += 1;
          ran += count;
          total.sequences += count;
          for (const end of device.reported) ends.add(end);
          device.world.records.clear();
        }
        await device.expectUntouched();
      }
      const seconds = Math.round((performance.now() - begun) / 1000);
      process.stdout.write(
        `random calls: ${total.calls} in ${total.sequences} sequences, ${total.compartments} compartments, ${seconds} s\n`,
      );
      // Each that went to its end is reported, and so is whoever asked for a watchdog and did not serve it.
      expect([...ends].filter((end) => end !== 'watchdog')).toEqual(['exit 7']);
    },
    depth() > 1 ? 14_400_000 : 120_000,
  );
});

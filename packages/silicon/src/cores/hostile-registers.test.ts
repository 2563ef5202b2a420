import { ASSIGNABLE_REGIONS, BUS_REGIONS } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { AccelerometerModel, LoopbackModel, TemperatureSensorModel } from '../models/sensors.ts';
import { seededBytes } from '../seeded.ts';
import { CoreFault } from './fault.ts';
import { runningCore, type RunningCore } from './testing/chip-with-core.ts';
import { SYSRAM } from './state.ts';

const DEPTH = Number(process.env['SEVENFOLD_DEPTH'] ?? 0);
const ACCESSES = DEPTH > 0 ? 3_000_000 : 150_000;
/** Accesses between two looks at the time. */
const PER_RUN = 25;
const OWN_BLOCKS = Array.from({ length: 9 }, (_, index) => 0x2100_0000 + index * 0x1_0000);

/** Values that mean something to registers: addresses, keys, single bits, and anything. */
function value(random: ReturnType<typeof seededBytes>, targets: readonly number[]): number {
  const word = (): number => random.below(2 ** 31) * 2 + random.below(2);
  switch (random.below(6)) {
    case 0:
      return 2 ** random.below(32);
    case 1:
      return SYSRAM.base + random.below(SYSRAM.size);
    case 2:
      return (targets[random.below(targets.length)] ?? 0) + 4 * random.below(0x200);
    case 3:
      return random.below(0x2_0000);
    case 4:
      return [0x1971, 0x2209, 0x8001, 0x4_8000, 0xffff_ffff][random.below(5)] ?? 0;
    default:
      return word();
  }
}

function fullChip(): RunningCore {
  const world = runningCore({ regions: ASSIGNABLE_REGIONS });
  const { chip } = world;
  for (const isu of chip.isus) {
    isu.uart.attach(new LoopbackModel());
    isu.i2c.attach(new TemperatureSensorModel(0x48));
    isu.spi.attach(0, new AccelerometerModel());
  }
  for (let channel = 0; channel < 8; channel++) chip.adc.attach(channel, () => channel / 3);
  return world;
}

describe('random accesses to every register that a core reaches', () => {
  it('never do more than fault on the core, and time goes on', () => {
    const random = seededBytes(20_261_122);
    let world = fullChip();
    const targets = [...OWN_BLOCKS, ...ASSIGNABLE_REGIONS.map((region) => BUS_REGIONS[region].offset)];
    const failures = new Map<string, number>();
    let faults = 0;
    for (let access = 0; access < ACCESSES; access++) {
      if (world.core.state !== 'running') {
        const kind = world.core.failure?.kind ?? 'none';
        failures.set(kind, (failures.get(kind) ?? 0) + 1);
        world = runningCore({ chip: world.chip, regions: ASSIGNABLE_REGIONS });
      }
      const block = targets[random.below(targets.length)] ?? 0;
      const isDma = block === 0x2108_0000;
      const span = isDma ? 0x4100 : [0x80, 0x400, 0x1_0000][random.below(3)];
      const size = ([1, 2, 4, 4, 4, 4] as const)[random.below(6)] ?? 4;
      const address = block + random.below(span ?? 0x400);
      try {
        const { processor } = world.realTime.core;
        if (random.below(3) === 0) processor.load((address & -size) | 0, size);
        else processor.store((address & -size) | 0, size, value(random, targets) | 0);
      } catch (error) {
        if (!(error instanceof CoreFault)) throw error;
        faults += 1;
      }
      if (access % PER_RUN === 0) {
        const before = world.realTime.time;
        world.run(1e-5 * random.below(20));
        if (world.core.state === 'running') expect(world.realTime.time).toBeGreaterThanOrEqual(before);
      }
    }
    // Narrow writes fault; the watchdog's keys and the like end the core now and then.
    expect(faults).toBeGreaterThan(ACCESSES / 50);
    expect(
      [...failures.keys()].every((kind) => ['watchdog', 'reset', 'lockup', 'fault'].includes(kind)),
    ).toBe(true);
    expect(world.chip.bus.firewall.violations.every(({ master }) => master === 'realtime0')).toBe(true);
  }, 600_000);
});

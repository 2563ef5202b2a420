import { describe, expect, it } from 'vitest';
import {
  CHIP_SKUS,
  DEFAULT_BOOT_RECORD,
  FLASH_MAP,
  FLASH_SECTOR,
  type CounterName,
} from '@sevenfold/formats';
import {
  openChip,
  plutonHardware,
  systemEntropy,
  type Chip,
  type Fault,
  type MemoryFlash,
} from '@sevenfold/silicon';
import { Counters } from '../pluton/counters.ts';
import { plutonHardwareOver } from '../pluton/hardware.ts';
import { portTo } from './stage-loader.ts';
import { blankBits, copyBits, makeDevice, manufactureBits, type ChipBits } from './testing/device.fixture.ts';
import { makeRelease, rootKeyHash } from './testing/release.fixture.ts';

const DEPTH = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0;
const EPOCH = 2 ** 32;

/** A chip in a product, with nothing in its flash: the counters need no more. */
function newChip(): ChipBits {
  const bits = blankBits();
  const chip = openChip({ ...bits, entropy: systemEntropy() });
  chip.powerOn();
  chip.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash });
  chip.setManufacturingState('DeviceComplete');
  return bits;
}

/** Pluton's counters, as after a boot of a chip with these bits; time passes at once. */
function countersOn(bits: ChipBits): { counters: Counters; chip: Chip } {
  const chip = openChip({ ...bits, entropy: systemEntropy() });
  chip.powerOn();
  const handover = {
    selection: { config: 'current' as const, record: DEFAULT_BOOT_RECORD, trial: false },
    report: { stages: [], failures: [] },
    keystorePackage: new Uint8Array(0),
    bundle: new Uint8Array(0),
    provided: [],
  };
  const port = portTo(
    plutonHardware(chip, handover, () => Promise.resolve()),
    'pluton',
  );
  let time = 0;
  return { counters: new Counters(plutonHardwareOver(port), { monotonic: () => (time += 120_000) }), chip };
}

/** Writes another content into Pluton's place in flash, as somebody with a programmer would. */
function replaceState(flash: MemoryFlash, sector: (index: number) => Uint8Array): void {
  const { offset, length } = FLASH_MAP.plutonState;
  for (let at = 0; at < length; at += FLASH_SECTOR) flash.write(offset + at, sector(at / FLASH_SECTOR));
}
const stateOf =
  (flash: MemoryFlash) =>
  (index: number): Uint8Array =>
    flash.read(FLASH_MAP.plutonState.offset + index * FLASH_SECTOR, FLASH_SECTOR);

const read = (bits: ChipBits, name: CounterName = 'services'): Promise<number> =>
  countersOn(bits).counters.counter(name, false);

async function count(bits: ChipBits, times: number): Promise<number> {
  const { counters } = countersOn(bits);
  let value = 0;
  for (let n = 0; n < times; n++) value = await counters.counter('services', true);
  return value;
}

describe('a monotonic counter', () => {
  it('counts by one, each for itself, and goes on after any reset', async () => {
    const bits = newChip();
    expect(await read(bits)).toBe(0);
    expect(await count(bits, 3)).toBe(3);
    expect(await count(bits, 40)).toBe(43);
    expect([await read(bits), await read(bits, 'monitor')]).toEqual([43, 0]);
  });

  it('keeps what it told, wherever power goes or a bit flips, and is never more than one ahead', async () => {
    // Twelve steps, an anchor, and as many again: over the end of a sector, and with fuses burnt twice.
    const run = async (bits: ChipBits, faults: readonly Fault[]) => {
      const { counters, chip } = countersOn(bits);
      chip.power.layPlan(faults);
      let told = 0;
      try {
        for (let step = 0; step < 24; step++) {
          told = await counters.counter('services', true);
          if (step === 11) await counters.anchor();
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'PowerCut' });
      }
      return { told, operations: chip.power.operations };
    };
    const fresh = newChip();
    const { operations, told: whole } = await run(copyBits(fresh), []);
    expect(whole).toBe(24);
    let cases = 0;
    for (let at = 0; at < operations; at++) {
      for (const kind of ['clean', 'torn', 'rot'] as const) {
        const bits = copyBits(fresh);
        const { told } = await run(bits, [{ at, kind, seed: at * 3 + 1 }]);
        const after = await read(copyBits(bits));
        expect(after, `${kind} at ${at}`).toBeGreaterThanOrEqual(told);
        expect(after, `${kind} at ${at}`).toBeLessThanOrEqual(told + 1);
        cases += 1;
        if (!DEPTH && at % 9 !== 0) continue;
        // And again in what follows the first cut.
        for (let second = 0; second < 4; second++) {
          const again = copyBits(bits);
          const { told: later } = await run(again, [{ at: second, kind: 'torn', seed: at + second }]);
          const last = await read(again);
          expect(last, `torn at ${second} after ${kind} at ${at}`).toBeGreaterThanOrEqual(
            Math.max(told, later),
          );
          cases += 1;
        }
      }
    }
    console.log(`counters: ${cases} power cuts and flipped bits over ${operations} operations`);
  });

  it('goes on in the sectors that are left as its flash wears out, and then stays where it is', async () => {
    const bits = newChip();
    const { counters, chip } = countersOn(bits);
    chip.flash.layWear({ seed: 5, endurance: 6 });
    let told = 0;
    const stopped = await (async () => {
      for (;;) told = await counters.counter('services', true);
    })().catch((error: { code: string }) => error.code);
    expect(stopped).toBe('StateUnwritable');
    // Four sectors, of which each takes eight steps an erasure, and six erasures at the least.
    expect(told).toBeGreaterThan(4 * 8 * 6);
    expect(await counters.counter('services', false)).toBe(told);
    const after = await read(bits);
    expect(after).toBeGreaterThanOrEqual(told);
    expect(after).toBeLessThanOrEqual(told + 1);
  });

  it('survives any one bit of its newest record', async () => {
    const bits = newChip();
    await count(bits, 3);
    const { offset } = FLASH_MAP.plutonState;
    const used = bits.flash.read(offset, FLASH_SECTOR);
    const last = used.findLastIndex((byte) => byte !== 0xff);
    for (let at = last; at > last - 340; at -= 5) {
      const rotten = copyBits(bits);
      rotten.flash.write(offset + at, Uint8Array.of((used[at] ?? 0) ^ (1 << (at & 7))));
      expect(await read(rotten), `byte ${at}`).toBe(3);
    }
  });
});

describe('who replaces the flash', () => {
  it('by an older copy of another epoch, by another chip’s, by noise or by nothing, never sets a counter back', async () => {
    const bits = newChip();
    await count(bits, 3);
    const old = copyBits(bits);
    await count(bits, 3);
    await countersOn(bits).counters.anchor();
    expect(await count(bits, 2)).toBe(8);
    const other = newChip();
    await count(other, 50);
    await countersOn(other).counters.anchor();
    const contents: readonly (readonly [string, (index: number) => Uint8Array])[] = [
      ['older', stateOf(old.flash)],
      ['of another chip', stateOf(other.flash)],
      [
        'noise',
        (index) =>
          systemEntropy()
            .random(FLASH_SECTOR)
            .map((byte) => byte ^ index),
      ],
      ['nothing', () => new Uint8Array(FLASH_SECTOR).fill(0xff)],
    ];
    for (const [what, content] of contents) {
      const attacked = copyBits(bits);
      replaceState(attacked.flash, content);
      // Two epochs were burnt before: by the first step, and by the anchor.
      expect(await read(attacked), what).toBe(3 * EPOCH);
      expect(await count(attacked, 1), what).toBe(3 * EPOCH + 1);
      expect(openChip({ ...attacked, entropy: systemEntropy() }).fuses.stateEpoch, what).toBe(3);
    }
  });

  it('by a copy of the same epoch goes back to that copy, as far as the last anchor: this is the limit', async () => {
    const bits = newChip();
    await count(bits, 6);
    await countersOn(bits).counters.anchor();
    const copy = copyBits(bits);
    await count(bits, 2);
    replaceState(bits.flash, stateOf(copy.flash));
    expect(await read(bits)).toBe(6);
  });

  it('again and again uses the epochs up, and then there are no counters rather than wrong ones', async () => {
    const bits = newChip();
    await count(bits, 1);
    const chip = openChip({ ...bits, entropy: systemEntropy() });
    chip.powerOn();
    while (chip.fuses.stateEpoch < 511) chip.fuses.raiseStateEpoch();
    expect(await read(bits)).toBe(512 * EPOCH);
    expect(await count(bits, 2)).toBe(512 * EPOCH + 2);
    replaceState(bits.flash, () => new Uint8Array(FLASH_SECTOR).fill(0xff));
    await expect(read(bits)).rejects.toMatchObject({ code: 'CountersExhausted' });
  });

  it('does not make an anchor of nothing', async () => {
    const bits = newChip();
    const epoch = (): number => openChip({ ...bits, entropy: systemEntropy() }).fuses.stateEpoch;
    await countersOn(bits).counters.anchor();
    expect(epoch()).toBe(0);
    await count(bits, 1);
    for (let n = 0; n < 3; n++) await countersOn(bits).counters.anchor();
    expect(epoch()).toBe(2);
  });
});

describe('a hostile kernel', () => {
  it('counts its own counters only, burns no fuse, and wears nothing out', async () => {
    const device = makeDevice(manufactureBits(await makeRelease()));
    await device.board.powerOn();
    const { chip, clock } = device;
    for (const name of ['monitor', 'capabilities', 'toString', '', null, 3])
      await expect(device.call('counter', name, true)).rejects.toMatchObject({ code: 'BadArgument' });
    expect(await device.call('counter', 'kernel', false)).toBe(0);
    expect(chip.fuses.stateEpoch).toBe(0);
    for (let n = 1; n <= 64; n++)
      expect(await device.call('counter', n % 2 === 0 ? 'kernel' : 'services', true)).toBe(Math.ceil(n / 2));
    await expect(device.call('counter', 'kernel', true)).rejects.toMatchObject({ code: 'CounterTooFast' });
    await device.call('watchdogKick', 600_000);
    await clock.advance(120_000);
    expect(await device.call('counter', 'kernel', true)).toBe(33);
    await expect(device.call('counter', 'services', true)).rejects.toMatchObject({ code: 'CounterTooFast' });
    expect(chip.fuses.stateEpoch).toBe(1);
    for (const master of ['secure', 'normal', 'realtime0', 'dma'] as const) {
      const { offset } = FLASH_MAP.plutonState;
      expect(() => chip.bus.programFlash(master, offset, Uint8Array.of(0)), master).toThrow(/Bus fault/);
      expect(() => chip.bus.eraseFlash(master, offset, FLASH_SECTOR), master).toThrow(/Bus fault/);
    }
    for (const offset of [0, 0x10000, FLASH_MAP.mutable.offset])
      expect(() => chip.bus.programFlash('pluton', offset, Uint8Array.of(0))).toThrow(/Bus fault/);
    await device.board.powerOff();
  });
});

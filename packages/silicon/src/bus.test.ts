import { describe, expect, it } from 'vitest';
import {
  BUS_ACCESSES,
  BUS_MASTERS,
  BUS_REGIONS,
  BUS_REGION_NAMES,
  FLASH_BASE,
  RESET_RULES,
  RUN_RULES,
  type BusAccess,
  type BusMaster,
  type BusRegion,
  type FirewallRule,
} from '@sevenfold/formats';
import { openChip, type Chip } from './chip.ts';
import { insecureSeededEntropy } from './engines.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';

const newChip = (): Chip =>
  openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
const fault = expect.objectContaining({ code: 'BusFault' });
const rule = (master: BusMaster, region: BusRegion, accesses: readonly BusAccess[]): FirewallRule => ({
  master,
  region,
  read: accesses.includes('read'),
  write: accesses.includes('write'),
  execute: accesses.includes('execute'),
});

/** Every master × region × access that is open, as `master access region`. */
function openOn({ bus }: Chip): readonly string[] {
  return BUS_MASTERS.flatMap((master) =>
    BUS_REGION_NAMES.flatMap((region) =>
      BUS_ACCESSES.filter((access) => {
        try {
          bus.check(master, access, region);
          return true;
        } catch (error) {
          expect(error).toMatchObject({ code: 'BusFault', field: region });
          return false;
        }
      }).map((access) => `${master} ${access} ${region}`),
    ),
  );
}

const granted = (rules: readonly FirewallRule[]): readonly string[] =>
  rules.flatMap((row) =>
    BUS_ACCESSES.filter((access) => row[access]).map((access) => `${row.master} ${access} ${row.region}`),
  );

describe('the firewall', () => {
  it('denies what no rule allows: every master, every region, every access', () => {
    const chip = newChip();
    for (const master of BUS_MASTERS) {
      for (const region of BUS_REGION_NAMES) {
        for (const access of BUS_ACCESSES) {
          chip.bus.firewall.configure([rule(master, region, [access])]);
          expect(chip.bus.firewall.allows(master, access, region)).toBe(true);
        }
      }
    }
    const one = rule('realtime0', 'adc', ['write']);
    chip.bus.firewall.configure([one]);
    expect(openOn(chip)).toEqual(['realtime0 write adc']);
    chip.bus.firewall.configure([]);
    expect(openOn(chip)).toEqual([]);
  });

  it('holds the table of reset and the table of a running device to the last row', () => {
    const chip = newChip();
    expect(openOn(chip).toSorted()).toEqual(granted(RESET_RULES).toSorted());
    chip.bus.firewall.configure(RUN_RULES);
    expect(openOn(chip).toSorted()).toEqual(granted(RUN_RULES).toSorted());
  });

  it('lets nobody but Pluton at the fuses, and nobody execute another’s memory or any peripheral', () => {
    for (const rows of [granted(RESET_RULES), granted(RUN_RULES)]) {
      expect(rows.filter((row) => row.endsWith(' fuses') && !row.startsWith('pluton '))).toEqual([]);
      expect(
        rows
          .filter((row) => row.includes(' execute '))
          .filter(
            (row) =>
              !/^(pluton execute plutonRam|secure execute secureRam|normal execute normalRam)$/.test(row),
          ),
      ).toEqual([]);
    }
    expect(granted(RUN_RULES).filter((row) => /^(realtime|dma)/.test(row))).toEqual([]);
    const flash = BUS_REGION_NAMES.filter((name) => BUS_REGIONS[name].kind === 'flash');
    expect(
      granted(RUN_RULES).filter(
        (row) => row.startsWith('normal') && flash.some((name) => row.endsWith(` ${name}`)),
      ),
    ).toEqual([]);
  });

  it('gives the normal world nothing at all until it is configured', () => {
    const { bus } = newChip();
    for (const region of BUS_REGION_NAMES) {
      for (const access of BUS_ACCESSES) expect(() => bus.check('normal', access, region)).toThrow(fault);
    }
    expect(() => bus.read('normal', BUS_REGIONS.gpio0.offset)).toThrow(fault);
  });

  it('is sticky: once locked nothing opens it but a reset', () => {
    const chip = newChip();
    const { firewall } = chip.bus;
    firewall.configure([]);
    firewall.lock();
    firewall.lock();
    const open = rule('normal', 'gpio0', ['read', 'write']);
    expect(() => firewall.configure([open])).toThrow(expect.objectContaining({ code: 'FirewallLocked' }));
    expect(openOn(chip)).toEqual([]);
    chip.reset('Restart');
    firewall.configure([open]);
    chip.bus.check('normal', 'read', 'gpio0');
  });

  it('gives a region to a real-time core for good: locked or not, and never to another one', () => {
    const chip = newChip();
    const { firewall } = chip.bus;
    firewall.configure(RUN_RULES);
    firewall.lock();
    chip.bus.write('normal', BUS_REGIONS.gpio2.offset + 0x10, 5);
    chip.assignRegions('realtime0', ['gpio2', 'isu0']);
    const [mine, others] = ['realtime0', 'realtime1'].map(
      (core) => (row: string) => row.startsWith(`${core} `),
    );
    const open = openOn(chip);
    expect(open.filter((row) => mine?.(row)).toSorted()).toEqual(
      ['clocks', 'gpio2', 'intercore0', 'isu0']
        .flatMap((region) => ['read', 'write'].map((access) => `realtime0 ${access} ${region}`).toSorted())
        .toSorted(),
    );
    expect(open.filter((row) => others?.(row))).toEqual([]);
    expect(open.filter((row) => / (gpio2|isu0)$/.test(row) && !mine?.(row))).toEqual([]);
    // What the normal world had written there is nothing that the core could find.
    expect(chip.bus.read('realtime0', BUS_REGIONS.gpio2.offset + 0x10)).toBe(0);
    // Taken from the core again, it is nobody's.
    chip.assignRegions('realtime0', ['isu0']);
    expect(openOn(chip).filter((row) => row.endsWith(' gpio2'))).toEqual([]);
    const locked = expect.objectContaining({ code: 'FirewallLocked', field: 'gpio2' });
    expect(() => chip.assignRegions('realtime1', ['gpio3', 'gpio2'])).toThrow(locked);
    expect(firewall.ownerOf('gpio3')).toBe(null);
    for (const region of ['hlGpio', 'secureRam', 'normalRam', 'mailbox0', 'firewall', 'intercore1'] as const)
      expect(() => chip.assignRegions('realtime0', [region])).toThrow(
        expect.objectContaining({ code: 'OutOfRange' }),
      );
    chip.reset('Restart');
    expect(openOn(chip).toSorted()).toEqual(granted(RESET_RULES).toSorted());
  });

  it('is locked by what it gives to a real-time core', () => {
    const { bus } = newChip();
    bus.firewall.assign('realtime1', []);
    expect(() => bus.firewall.configure([])).toThrow(expect.objectContaining({ code: 'FirewallLocked' }));
  });

  it('keeps no hold on the rules that it was given', () => {
    const { bus } = newChip();
    const changing: { -readonly [Key in keyof FirewallRule]: FirewallRule[Key] } = rule(
      'normal',
      'gpio0',
      [],
    );
    bus.firewall.configure([changing]);
    changing.read = true;
    expect(() => bus.check('normal', 'read', 'gpio0')).toThrow(fault);
  });

  it('stops an access that begins inside an open region and ends beyond it, and records it', () => {
    const { bus } = newChip();
    bus.firewall.configure([rule('normal', 'records', ['read'])]);
    const { offset, length } = BUS_REGIONS.records;
    bus.readFlash('normal', offset - FLASH_BASE, length);
    expect(() => bus.readFlash('normal', offset - FLASH_BASE, length + 1)).toThrow(fault);
    expect(() => bus.readFlash('normal', offset - FLASH_BASE - 1, 2)).toThrow(fault);
    expect(() => bus.programFlash('normal', offset - FLASH_BASE, Uint8Array.of(0))).toThrow(fault);
    expect(bus.firewall.violations.map(({ region, access }) => [region, access])).toEqual([
      ['mutable', 'read'],
      ['applications', 'read'],
      ['records', 'write'],
    ]);
  });

  it('remembers the newest 256 stopped accesses and counts all', () => {
    const { bus } = newChip();
    for (let n = 0; n < 300; n++) expect(() => bus.read('dma', 0x3800_0000 + 4 * n)).toThrow(fault);
    expect(bus.firewall.violations.length).toBe(256);
    expect(bus.firewall.violations[0]?.address).toBe(0x3800_0000 + 4 * 44);
    expect(bus.firewall.violationCount).toBe(300);
  });

  it('has regions of whole pages that do not overlap', () => {
    const sorted = Object.values(BUS_REGIONS).toSorted((a, b) => a.offset - b.offset);
    for (const [index, { offset, length }] of sorted.entries()) {
      expect([offset % 4096, length % 4096]).toEqual([0, 0]);
      expect(offset + length).toBeLessThanOrEqual(sorted[index + 1]?.offset ?? 2 ** 32);
    }
  });
});

describe('the bus', () => {
  it('has no registers beyond those of its devices, and none at odd addresses', () => {
    const { bus } = newChip();
    const all = BUS_REGION_NAMES.map((region) => rule('normal', region, ['read', 'write']));
    bus.firewall.configure(all);
    for (const address of [0, 0x1000_0000, 0x2000_0000, 0x3800_0002, 0x380c_0000, 0x8000_0000, 2 ** 32, -4]) {
      expect(() => bus.read('normal', address), String(address)).toThrow(fault);
      expect(() => bus.write('normal', address, 1), String(address)).toThrow(fault);
    }
    // Reserved registers of a device read as 0 and take anything.
    bus.write('normal', 0x3801_0ffc, 0xffff_ffff);
    expect(bus.read('normal', 0x3801_0ffc)).toBe(0);
  });
});

import { describe, expect, it } from 'vitest';
import { openChip, type Chip } from './chip.ts';
import { insecureSeededEntropy } from './engines.ts';
import { BUS_REGIONS, FLASH_BASE, MASTERS, type BusRegion } from './firewall.ts';
import { GPIO_REGISTERS, LedModel } from './gpio.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';

const newChip = (): Chip =>
  openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
const REGIONS = Object.keys(BUS_REGIONS) as readonly BusRegion[];
const fault = expect.objectContaining({ code: 'BusFault' });

describe('the firewall', () => {
  it('denies what no rule allows: every master, every region, read and write', () => {
    for (const master of MASTERS) {
      for (const region of REGIONS) {
        for (const access of ['read', 'write'] as const) {
          const { bus } = newChip();
          bus.firewall.configure([{ master, region, read: access === 'read', write: access === 'write' }]);
          for (const other of MASTERS) {
            for (const place of REGIONS) {
              for (const kind of ['read', 'write'] as const) {
                const touch = (): void => bus.check(other, kind, place);
                if (other === master && place === region && kind === access) touch();
                else expect(touch).toThrow(fault);
              }
            }
          }
        }
      }
    }
  });

  it('gives the normal world nothing at all until it is configured', () => {
    const { bus } = newChip();
    for (const region of REGIONS) expect(() => bus.check('normal', 'read', region)).toThrow(fault);
    expect(() => bus.readRegister('normal', 'gpio', 0)).toThrow(fault);
  });

  it('is sticky: once locked nothing opens it but a reset', () => {
    const chip = newChip();
    const { firewall } = chip.bus;
    firewall.configure([]);
    firewall.lock();
    firewall.lock();
    const open = { master: 'normal', region: 'gpio', read: true, write: true } as const;
    expect(() => firewall.configure([open])).toThrow(expect.objectContaining({ code: 'FirewallLocked' }));
    chip.reset('Restart');
    firewall.configure([open]);
    chip.bus.check('normal', 'read', 'gpio');
  });

  it('keeps no hold on the rules that it was given', () => {
    const { bus } = newChip();
    const rule: { master: 'normal'; region: BusRegion; read: boolean; write: boolean } = {
      master: 'normal',
      region: 'gpio',
      read: false,
      write: false,
    };
    bus.firewall.configure([rule]);
    rule.read = true;
    expect(() => bus.check('normal', 'read', 'gpio')).toThrow(fault);
  });

  it('stops an access that begins inside an open region and ends beyond it, and records it', () => {
    const { bus } = newChip();
    bus.firewall.configure([{ master: 'normal', region: 'records', read: true, write: false }]);
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

  it('has regions that do not overlap', () => {
    const sorted = Object.values(BUS_REGIONS).toSorted((a, b) => a.offset - b.offset);
    for (const [index, { offset, length }] of sorted.entries()) {
      expect(offset + length).toBeLessThanOrEqual(sorted[index + 1]?.offset ?? 2 ** 32);
    }
  });
});

describe('the GPIO block', () => {
  const open = (chip: Chip): void =>
    chip.bus.firewall.configure([{ master: 'normal', region: 'gpio', read: true, write: true }]);

  it('drives a pin that is an output, and reads one that is driven from outside', () => {
    const chip = newChip();
    open(chip);
    const write = (register: number, value: number): void =>
      chip.bus.writeRegister('normal', 'gpio', 0x20 + register, value);
    const seen: [number, number][] = [];
    const detach = chip.gpio.onChange((pin, level) => seen.push([pin, level]));
    // Pins 32 and 63: first and last of bank 1.
    write(GPIO_REGISTERS.DOUT_SET, 0x8000_0001);
    expect(seen).toEqual([]);
    write(GPIO_REGISTERS.OE, 0x8000_0001);
    expect(seen).toEqual([
      [32, 1],
      [63, 1],
    ]);
    expect(chip.bus.readRegister('normal', 'gpio', 0x20 + GPIO_REGISTERS.DIN)).toBe(0x8000_0001);
    write(GPIO_REGISTERS.DOUT_CLEAR, 0x8000_0000);
    expect(chip.gpio.level(63)).toBe(0);
    chip.gpio.drive(40, 1);
    expect(chip.bus.readRegister('normal', 'gpio', 0x20 + GPIO_REGISTERS.DIN)).toBe(0x0000_0101);
    // An output is not moved from outside.
    chip.gpio.drive(32, 0);
    expect(chip.gpio.level(32)).toBe(1);
    chip.reset('Restart');
    expect(chip.gpio.level(32)).toBe(0);
    expect(chip.gpio.level(40)).toBe(1);
    detach();
    const count = seen.length;
    chip.gpio.drive(40, 0);
    expect(seen.length).toBe(count);
  });

  it('has no registers beyond its own, and ignores writes to those that cannot be written', () => {
    const chip = newChip();
    open(chip);
    expect(() => chip.bus.readRegister('normal', 'gpio', 0x1000)).toThrow(fault);
    expect(() => chip.bus.writeRegister('normal', 'gpio', -4, 1)).toThrow(fault);
    chip.bus.writeRegister('normal', 'gpio', GPIO_REGISTERS.DIN, 0xffff_ffff);
    chip.bus.writeRegister('normal', 'gpio', 0x800, 0xffff_ffff);
    expect(chip.bus.readRegister('normal', 'gpio', GPIO_REGISTERS.DIN)).toBe(0);
  });

  it('lights a diode that is wired to a pin and lit by a low level', () => {
    const chip = newChip();
    open(chip);
    const led = new LedModel(chip.gpio, 8);
    const register = (name: keyof typeof GPIO_REGISTERS): number => GPIO_REGISTERS[name];
    chip.bus.writeRegister('normal', 'gpio', register('DOUT_SET'), 1 << 8);
    chip.bus.writeRegister('normal', 'gpio', register('OE'), 1 << 8);
    for (let n = 0; n < 3; n++) {
      chip.bus.writeRegister('normal', 'gpio', register('DOUT_CLEAR'), 1 << 8);
      expect(led.isLit).toBe(true);
      chip.bus.writeRegister('normal', 'gpio', register('DOUT_SET'), 1 << 8);
    }
    expect([led.isLit, led.blinks]).toEqual([false, 3]);
  });
});

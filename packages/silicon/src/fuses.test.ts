import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { IMAGE_TYPES } from '@sevenfold/formats';
import { openChip, type Chip } from './chip.ts';
import { insecureSeededEntropy, sha256 } from './engines.ts';
import { fileFuses } from './file-storage.ts';
import { FUSE_FIELDS, type FuseStorage } from './fuses.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';

const dir = mkdtempSync(join(tmpdir(), 'sevenfold-fuses-'));
afterAll(() => rmSync(dir, { recursive: true }));

const chipWith = (fuses: FuseStorage, seed = 'a'): Chip =>
  openChip({ flash: memoryFlash(), fuses, entropy: insecureSeededEntropy(seed) });
const rootKeyHash = sha256(Uint8Array.of(1));

describe('fuses', () => {
  it('hold what the factory burnt, for good, on the disk at once', () => {
    const path = join(dir, 'fuses.bin');
    const chip = chipWith(fileFuses(path));
    const identity = chip.manufacture({ chipSku: 1, rootKeyHash });
    chip.setManufacturingState('Module1Complete');
    // Not closed: as if the process had been killed. Another entropy: the identity is in the fuses.
    const again = chipWith(fileFuses(path), 'b');
    expect(again.identity()).toEqual(identity);
    expect(again.fuses.chipSku).toBe(1);
    expect(again.fuses.rootKeyHash).toEqual(rootKeyHash);
    expect(again.fuses.manufacturingState).toBe('Module1Complete');
  });

  it('go one way only', () => {
    const chip = chipWith(memoryFuses());
    expect(chip.fuses.manufacturingState).toBe('Blank');
    expect(() => chip.setManufacturingState('DeviceComplete')).toThrow(
      expect.objectContaining({ code: 'NotManufactured' }),
    );
    expect(() => chip.identity()).toThrow(expect.objectContaining({ code: 'NotManufactured' }));
    chip.manufacture({ chipSku: 1, rootKeyHash });
    expect(() => chip.manufacture({ chipSku: 1, rootKeyHash: sha256(Uint8Array.of(2)) })).toThrow(
      expect.objectContaining({ code: 'FuseLocked' }),
    );
    expect(() => chip.manufacture({ chipSku: 3, rootKeyHash })).toThrow(
      expect.objectContaining({ code: 'FuseLocked' }),
    );
    chip.setManufacturingState('DeviceComplete');
    expect(() => chip.setManufacturingState('Module1Complete')).toThrow(
      expect.objectContaining({ code: 'FuseOneWay' }),
    );
    expect(() => chip.setManufacturingState('Blank')).toThrow(
      expect.objectContaining({ code: 'FuseOneWay' }),
    );
    chip.fuses.raiseSecurityVersion('Services', 9);
    chip.fuses.raiseSecurityVersion('Services', 4);
    expect(chip.fuses.securityVersion('Services')).toBe(9);
    expect(chip.fuses.securityVersions()[String(IMAGE_TYPES.PlutonRuntime)]).toBe(0);
    expect(() => chip.fuses.raiseSecurityVersion('Services', 129)).toThrow(
      expect.objectContaining({ code: 'OutOfRange' }),
    );
  });

  it('cut at any bit can be burnt on, and the counter never jumps', () => {
    const whole = chipWith(memoryFuses());
    const make = (chip: Chip): void => {
      chip.manufacture({ chipSku: 1, rootKeyHash });
      chip.fuses.raiseSecurityVersion('PlutonRuntime', 5);
      chip.setManufacturingState('DeviceComplete');
    };
    make(whole);
    const { operations } = whole.power;
    expect(operations).toBeGreaterThan(60);
    for (let at = 0; at < operations; at++) {
      for (const kind of ['clean', 'torn'] as const) {
        const bits = memoryFuses();
        const chip = chipWith(bits);
        chip.power.layPlan([{ at, kind, seed: at }]);
        expect(() => make(chip)).toThrow(expect.objectContaining({ code: 'PowerCut' }));
        const next = chipWith(bits, 'after the cut');
        expect(next.fuses.securityVersion('PlutonRuntime')).toBeLessThanOrEqual(5);
        make(next);
        expect(next.fuses.securityVersion('PlutonRuntime')).toBe(5);
        expect(next.fuses.rootKeyHash).toEqual(rootKeyHash);
        // The identity that was made is the one that stays.
        expect(chipWith(bits, 'later').identity()).toEqual(next.identity());
      }
    }
  });

  it('yield the same identity for the same seed, and another for another', () => {
    const make = (seed: string): string =>
      chipWith(memoryFuses(), seed).manufacture({ chipSku: 1, rootKeyHash }).deviceId;
    expect(make('a')).toBe(make('a'));
    expect(make('a')).not.toBe(make('b'));
    expect(make('a')).toMatch(/^[0-9a-f]{64}$/);
  });

  it('do not overlap', () => {
    const fields = Object.values(FUSE_FIELDS).toSorted((a, b) => a.offset - b.offset);
    for (const [index, { offset, length }] of fields.entries()) {
      expect(offset + length).toBeLessThanOrEqual(fields[index + 1]?.offset ?? 256);
    }
  });
});

import { describe, expect, it } from 'vitest';
import { imported, scriptModule } from './testing/test-app.ts';
import { buildModule, op, type ModuleParts } from './testing/wasm-builder.ts';
import { checkModule } from './wasm-module.ts';

const LIMITS = { memory: 256 * 1024 };
const codeOf = (module: Uint8Array): unknown => {
  try {
    checkModule(module, LIMITS);
    return 'accepted';
  } catch (error) {
    return Reflect.get(error as object, 'code');
  }
};
const tryParts = (parts: ModuleParts): unknown => codeOf(buildModule(parts));

describe('a module', () => {
  it('passes when it stays within the table and its quota, and tells its memory', () => {
    expect(checkModule(scriptModule([{ call: ['sevenfold', 'gpio_set'], args: [0, 0] }]), LIMITS)).toEqual({
      initialMemory: 65_536,
      maximumMemory: 65_536,
    });
  });

  it('is refused for an import that no compartment offers, or one that only looks like it', () => {
    const odd = { module: 'env', name: 'system', params: 'i', result: 'i' };
    expect(tryParts({ imports: [odd] })).toBe('UnknownImport');
    expect(tryParts({ imports: [{ ...imported('sevenfold', 'gpio_set'), name: 'constructor' }] })).toBe(
      'UnknownImport',
    );
    expect(tryParts({ imports: [{ ...odd, module: '__proto__', name: 'toString' }] })).toBe('UnknownImport');
    expect(tryParts({ imports: [{ ...imported('sevenfold', 'gpio_set'), params: 'fF' }] })).toBe(
      'WrongImportSignature',
    );
    expect(tryParts({ imports: [{ ...imported('sevenfold', 'gpio_set'), result: '' }] })).toBe(
      'WrongImportSignature',
    );
  });

  it('is refused for memory it does not bound, shares, or wants too much of', () => {
    expect(tryParts({ memory: { min: 1 } })).toBe('MemoryNotDeclared');
    expect(tryParts({ memory: null })).toBe('MemoryNotDeclared');
    expect(tryParts({ memory: { min: 1, max: 5 } })).toBe('MemoryOverQuota');
    expect(tryParts({ memory: { min: 65_536, max: 65_536 } })).toBe('MemoryOverQuota');
    expect(tryParts({ memory: { min: 1, max: 1, shared: true } })).toBe('SharedMemory');
  });

  it('is refused for tables without end, code before its entry, and types outside linear memory', () => {
    expect(tryParts({ table: { min: 10_000_000, max: 10_000_000 } })).toBe('TableTooLarge');
    expect(tryParts({ table: { min: 1 } })).toBe('TableTooLarge');
    expect(tryParts({ table: { min: 1, max: 1, type: 0x6f } })).toBe('UnsupportedFeature');
    expect(tryParts({ startSection: true, start: op.loop([]) })).toBe('StartFunction');
    // A garbage-collected array type.
    expect(tryParts({ extraTypes: [[0x5e, 0x7f, 0x01]] })).toBe('UnsupportedFeature');
  });

  it('is refused without the exports that a compartment needs', () => {
    expect(tryParts({ exports: ['memory'] })).toBe('MissingExport');
    expect(tryParts({ exports: ['_start'] })).toBe('MissingExport');
  });

  it('is refused when it is cut anywhere, or is no module at all', () => {
    const module = scriptModule([{ call: ['sevenfold', 'gpio_set'], args: [0, 0] }]);
    for (let length = 0; length < module.length - 40; length += 1) {
      expect(codeOf(module.subarray(0, length)), `cut at ${length}`).not.toBe('accepted');
    }
    expect(codeOf(new Uint8Array(2 * 1024 * 1024))).toBe('ModuleTooLarge');
    expect(codeOf(Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0))).toBe('ModuleMalformed');
    // A section whose length is a number of six bytes.
    expect(codeOf(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0))).toBe(
      'ModuleMalformed',
    );
  });
});

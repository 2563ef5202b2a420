import { describe, expect, it } from 'vitest';
import { FormatError } from './errors.ts';
import {
  hardwareHeader,
  type HardwareDefinition,
  type HardwareDefinitionLoader,
  loadHardwareDefinition,
} from './hardware-definition.ts';
import { utf8Encode } from './utf8.ts';

const METADATA = { Type: 'Azure Sphere Hardware Definition', Version: 1 };
const definition = (imports: readonly string[], peripherals: readonly unknown[]): string =>
  JSON.stringify({
    Metadata: METADATA,
    Description: { Name: 'A board' },
    Imports: imports.map((path) => ({ Path: path })),
    Peripherals: peripherals,
  });
const gpio = (name: string, number: number): unknown => ({
  Name: name,
  Type: 'Gpio',
  MainCoreHeaderValue: `(${number})`,
  AppManifestValue: number,
});
const mapped = (name: string, mapping: string, type = 'Gpio'): unknown => ({
  Name: name,
  Type: type,
  Mapping: mapping,
});

/** A loader over files in memory. */
const over =
  (files: Readonly<Record<string, string>>): HardwareDefinitionLoader =>
  (path) => {
    const text = files[path];
    return text === undefined ? null : { id: `/hw/${path}`, content: utf8Encode(text) };
  };
const load = (files: Readonly<Record<string, string>>): Promise<HardwareDefinition> =>
  loadHardwareDefinition('app.json', over(files));

async function refusal(files: Readonly<Record<string, string>>): Promise<string> {
  try {
    await load(files);
    return 'accepted';
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
}

const CHIP = definition(
  [],
  [
    gpio('CHIP_GPIO8', 8),
    { Name: 'CHIP_UART0', Type: 'Uart', MainCoreHeaderValue: '4', AppManifestValue: 'ISU0' },
    { Name: 'CHIP_CS_A', Type: 'int', MainCoreHeaderValue: '-1' },
  ],
);

describe('hardware definition', () => {
  it('follows names from the app through the board to the chip', async () => {
    const { name, peripherals } = await load({
      'app.json': definition(['board.json'], [mapped('SAMPLE_LED', 'BOARD_LED')]),
      'board.json': definition(
        ['chip.json'],
        [mapped('BOARD_LED', 'CHIP_GPIO8'), mapped('BOARD_UART', 'CHIP_UART0', 'Uart')],
      ),
      'chip.json': CHIP,
    });
    expect(name).toBe('A board');
    expect(peripherals.get('SAMPLE_LED')).toEqual({
      name: 'SAMPLE_LED',
      type: 'Gpio',
      appManifestValue: 8,
      mainCoreHeaderValue: '(8)',
    });
    expect(peripherals.get('BOARD_UART')?.appManifestValue).toBe('ISU0');
    expect(peripherals.get('CHIP_CS_A')?.appManifestValue).toBeNull();
  });

  it('writes the header for C', async () => {
    const board = await load({
      'app.json': definition(['chip.json'], [mapped('LED', 'CHIP_GPIO8')]),
      'chip.json': CHIP,
    });
    expect(hardwareHeader(board)).toBe(
      '#pragma once\n\n#define CHIP_GPIO8 (8)\n#define CHIP_UART0 4\n#define CHIP_CS_A -1\n#define LED (8)\n',
    );
  });

  it('takes a file that is reached on two ways once', async () => {
    const files = {
      'app.json': definition(['a.json', 'b.json'], []),
      'a.json': definition(['chip.json'], []),
      'b.json': definition(['chip.json'], []),
      'chip.json': CHIP,
    };
    expect((await load(files)).peripherals.size).toBe(3);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['a missing file', {}, 'HardwareImportNotFound'],
    ['a missing import', { 'app.json': definition(['x.json'], []) }, 'HardwareImportNotFound'],
    ['no JSON', { 'app.json': '{' }, 'InvalidJson'],
    [
      'another document',
      { 'app.json': '{"Metadata":{"Type":"x","Version":1}}' },
      'HardwareDefinitionInvalid',
    ],
    [
      'another version',
      { 'app.json': JSON.stringify({ Metadata: { ...METADATA, Version: 2 } }) },
      'HardwareDefinitionInvalid',
    ],
    ['a file that imports itself', { 'app.json': definition(['app.json'], []) }, 'HardwareImportCycle'],
    [
      'files that import each other',
      { 'app.json': definition(['b.json'], []), 'b.json': definition(['app.json'], []) },
      'HardwareImportCycle',
    ],
    [
      'a name twice over all files',
      { 'app.json': definition(['chip.json'], [gpio('CHIP_GPIO8', 9)]), 'chip.json': CHIP },
      'DuplicatePeripheralName',
    ],
    [
      'a mapping to nothing',
      { 'app.json': definition([], [mapped('LED', 'NONE')]) },
      'UnknownPeripheralMapping',
    ],
    [
      'mappings in a circle',
      { 'app.json': definition([], [mapped('A', 'B'), mapped('B', 'A')]) },
      'UnknownPeripheralMapping',
    ],
    [
      'a GPIO mapped to a UART',
      { 'app.json': definition(['chip.json'], [mapped('LED', 'CHIP_UART0')]), 'chip.json': CHIP },
      'PeripheralTypeMismatch',
    ],
    [
      'an unknown type',
      { 'app.json': definition([], [{ Name: 'A', Type: 'Laser', AppManifestValue: 1 }]) },
      'HardwareDefinitionInvalid',
    ],
    [
      'a name that is no identifier',
      { 'app.json': definition([], [gpio('A B', 1)]) },
      'HardwareDefinitionInvalid',
    ],
    [
      'a header value that is code',
      { 'app.json': definition([], [{ Name: 'A', Type: 'Gpio', MainCoreHeaderValue: '1\n#include "x"' }]) },
      'HardwareDefinitionInvalid',
    ],
    [
      'a peripheral with nothing',
      { 'app.json': definition([], [{ Name: 'A', Type: 'Gpio' }]) },
      'HardwareDefinitionInvalid',
    ],
    [
      'a mapping and a value',
      { 'app.json': definition([], [{ Name: 'A', Type: 'Gpio', Mapping: 'B', AppManifestValue: 1 }]) },
      'HardwareDefinitionInvalid',
    ],
    [
      'an import without a path',
      { 'app.json': JSON.stringify({ Metadata: METADATA, Imports: [{}] }) },
      'HardwareDefinitionInvalid',
    ],
    [
      'a chain of too many files',
      Object.fromEntries(
        Array.from({ length: 70 }, (_, i) => [
          i === 0 ? 'app.json' : `${i}.json`,
          definition([`${i + 1}.json`], []),
        ]),
      ),
      'TooManyHardwareImports',
    ],
  ])('refuses %s', async (_what, files, code) => {
    expect(await refusal(files)).toBe(code);
  });
});

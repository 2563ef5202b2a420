import { CHIP_SKU_TABLE } from '@sevenfold/silicon';
import { describe, expect, it } from 'vitest';
import { formatSku } from './chip.ts';

describe('chip show', () => {
  it('tells one SKU from the other by what it has more of', () => {
    const ram = (sku: 'SF-V1' | 'SF-V1L'): string | undefined =>
      /(\d+) bytes a high-level app/.exec(formatSku(sku, CHIP_SKU_TABLE[sku]))?.[1];
    expect([ram('SF-V1'), ram('SF-V1L')]).toEqual(['262144', '1048576']);
  });

  const lines = formatSku('SF-V1', CHIP_SKU_TABLE['SF-V1'])
    .split('\n')
    .map((line) => line.replaceAll(/ {2,}/g, ' | '));

  it('lists the memory map, who may touch what, the fuses and the service port', () => {
    expect(lines).toContain('Chip SKU | SF-V1 (1)');
    expect(lines).toContain('0x38070000 | 65536 | isu0 | peripheral | ISU0 (UART, I2C or SPI), GPIO 26-30');
    // From reset, and on a running device.
    expect(lines.filter((line) => line.startsWith('isu0 |'))).toEqual([
      'isu0 | --- | rw- | --- | --- | --- | ---',
      'isu0 | --- | --- | rw- | --- | --- | ---',
    ]);
    expect(lines.filter((line) => line.startsWith('fuses |'))).toEqual(
      Array.from({ length: 2 }, () => 'fuses | rw- | --- | --- | --- | --- | ---'),
    );
    expect(lines).toContain('identitySeed | 40 | 32');
    expect(lines).toContain('writeFlash | yes | yes | no');
  });
});

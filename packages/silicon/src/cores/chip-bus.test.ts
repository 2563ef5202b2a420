import { BUS_REGIONS, GPIO_REGISTERS } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { openChip, type Chip } from '../chip.ts';
import { insecureSeededEntropy } from '../engines.ts';
import { memoryFlash, memoryFuses } from '../memory-storage.ts';
import { chipBus } from './chip-bus.ts';
import { Core } from './core.ts';
import { TCM } from './state.ts';

const CODE = TCM.base + 0x400;
const HANDLER = CODE + 0x40;
const halves = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer);

/** A chip of which real-time core 0 may use one GPIO group, and that core, about to run `code`. */
function coreOnChip(code: Uint8Array): { readonly chip: Chip; readonly core: Core } {
  const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  chip.bus.firewall.configure([
    { master: 'realtime0', region: 'gpio2', read: true, write: true, execute: false },
  ]);
  const core = new Core({ bus: chipBus(chip.bus, 'realtime0') });
  const vectors = Int32Array.from({ length: 116 }, () => HANDLER | 1);
  vectors[0] = TCM.base + TCM.size;
  vectors[1] = CODE | 1;
  core.load(TCM.base, new Uint8Array(vectors.buffer));
  core.load(CODE, code);
  core.load(HANDLER, halves(0xe7fe));
  core.reset();
  return { chip, core };
}

describe('a real-time core on the chip’s bus', () => {
  it('drives a pin of a group that the firewall opens to it', () => {
    // movs r1, #1; str r1, [r0, #0x14]; str r1, [r0, #0x24]; b .
    const { chip, core } = coreOnChip(halves(0x2101, 0x6141, 0x6241, 0xe7fe));
    core.setRegister(0, BUS_REGIONS.gpio2.offset);
    core.run(10);
    expect(core.processor.scs.cfsr).toBe(0);
    expect(chip.bus.read('realtime0', BUS_REGIONS.gpio2.offset + GPIO_REGISTERS.DOUT)).toBe(1);
    expect(chip.bus.firewall.violations).toEqual([]);
  });

  it.each([
    ['another group', BUS_REGIONS.gpio3.offset],
    ['the firewall', BUS_REGIONS.firewall.offset],
    ['the Security Monitor’s memory', BUS_REGIONS.secureRam.offset],
    ['Pluton’s mailbox', BUS_REGIONS.plutonMailbox.offset],
    ['nothing', 0x5000_0000],
  ])('takes a bus fault where it reaches for %s, and the firewall notes it', (_name, address) => {
    for (const code of [0x6801, 0x6001]) {
      const { chip, core } = coreOnChip(halves(code, 0xe7fe));
      core.setRegister(0, address);
      core.run(10);
      expect(core.processor.status.ipsr).toBe(3);
      expect(core.processor.scs.cfsr).toBe(0x8200);
      expect(core.processor.scs.bfar >>> 0).toBe(address);
      expect(chip.bus.firewall.violations.map(({ master, address: at }) => [master, at])).toEqual([
        ['realtime0', address],
      ]);
    }
  });

  it('reads a part of a register, and cannot write one', () => {
    // ldrb r1, [r0]; ldrh r2, [r0]; strb r1, [r0]; b .
    const { core } = coreOnChip(halves(0x7801, 0x8802, 0x7001, 0xe7fe));
    core.setRegister(0, BUS_REGIONS.gpio2.offset + GPIO_REGISTERS.DOUT);
    core.run(10);
    expect([core.register(1), core.register(2)]).toEqual([0, 0]);
    expect(core.processor.scs.cfsr).toBe(0x8200);
  });
});

describe('memory that a core shares', () => {
  it('takes unaligned accesses, as memory does, where registers do not', () => {
    // str r1, [r0, #1] and strh r1, [r0, #7] as 32-bit encodings; then the same word back; b .
    const { chip, core } = coreOnChip(halves(0xf8c0, 0x1001, 0xf8a0, 0x1007, 0xf8d0, 0x2001, 0xe7fe));
    chip.assignRegions('realtime0', ['gpio2']);
    core.setRegister(0, BUS_REGIONS.intercore0.offset);
    core.setRegister(1, 0x8765_4321 | 0);
    core.run(10);
    expect(core.processor.scs.cfsr).toBe(0);
    expect(core.register(2)).toBe(0x8765_4321 | 0);
    expect(chip.bus.readMemory('realtime0', BUS_REGIONS.intercore0.offset, 10)).toEqual(
      Uint8Array.of(0, 0x21, 0x43, 0x65, 0x87, 0, 0, 0x21, 0x43, 0),
    );
    const again = coreOnChip(halves(0xf8c0, 0x1011, 0xe7fe));
    again.core.setRegister(0, BUS_REGIONS.gpio2.offset);
    again.core.run(10);
    expect(again.core.processor.scs.cfsr).toBe(1 << 24);
  });
});

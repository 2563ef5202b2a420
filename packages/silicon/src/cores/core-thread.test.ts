import { BUS_REGIONS, MAILBOX_REGISTERS, type BusRegion } from '@sevenfold/formats';
import { afterEach, describe, expect, it } from 'vitest';
import { openChip, type Chip } from '../chip.ts';
import { insecureSeededEntropy } from '../engines.ts';
import { memoryFlash, memoryFuses } from '../memory-storage.ts';
import { threadedCores } from './core-thread.ts';
import { TCM } from './state.ts';
import { halves } from './testing/chip-with-core.ts';

const CODE = TCM.base + 0x400;
const BOX = MAILBOX_REGISTERS;
const chips: Chip[] = [];
afterEach(() => {
  for (const chip of chips.splice(0)) chip.powerOff();
});

/** A core in its own thread, running `code` with R0 set by a literal behind it. */
function started(code: readonly number[], regions: readonly BusRegion[] = []): Chip {
  const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
  chips.push(chip);
  chip.hostRealTimeCores(threadedCores());
  chip.assignRegions('realtime0', regions);
  const core = chip.realTimeCores[0];
  core?.load(TCM.base, new Uint8Array(Uint32Array.of(TCM.base + TCM.size, CODE | 1).buffer));
  core?.load(CODE, halves(...code));
  core?.start();
  return chip;
}

/** Resolves when it holds; whoever waits in vain is ended by the test's own time. */
async function comes(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 1));
}
const word = (value: number): readonly number[] => [value & 0xffff, value >>> 16];

describe('a core in a thread of its own', { timeout: 60_000 }, () => {
  it('drives a pin, prints, and posts to the application core', async () => {
    // ldr r0, =gpio2; movs r1, #1; str r1, [r0, #0x14]; str r1, [r0, #0x24]; ldr r2, =uart; movs r3, #17;
    // str r3, [r2]; ldr r4, =mailbox; str r3, [r4, #0x40]; b .
    const code = [0x4804, 0x2101, 0x6141, 0x6241, 0x4a03, 0x2311, 0x6013, 0x4c03, 0x6423, 0xe7fe];
    const literals = [BUS_REGIONS.gpio2.offset, 0x2104_0000, 0x2105_0000].flatMap(word);
    const chip = started([...code, ...literals], ['gpio2']);
    const core = chip.realTimeCores[0];
    const output: number[] = [];
    core?.onDebugByte((byte) => output.push(byte));
    await comes(
      () => chip.pins.level(8) === 1 && output.length > 0 && core?.application.read(BOX.POP_CNT) === 1,
    );
    expect(output).toEqual([17]);
    expect(core?.application.read(BOX.CMD_POP)).toBe(17);
    expect(chip.bus.firewall.violations).toEqual([]);
    core?.stop();
    expect([core?.state, chip.pins.level(8)]).toEqual(['off', 0]);
  });

  it('takes a bus fault where the firewall says so, and its failure is told', async () => {
    // ldr r0, =secureRam; ldr r1, [r0]; b .
    const chip = started([0x4801, 0x6801, 0xe7fe, 0xbf00, ...word(BUS_REGIONS.secureRam.offset)]);
    const core = chip.realTimeCores[0];
    await comes(() => core?.state === 'failed');
    expect(core?.failure).toMatchObject({
      kind: 'lockup',
      fault: 'PRECISERR',
      bfar: BUS_REGIONS.secureRam.offset,
    });
    expect(chip.bus.firewall.violations[0]).toMatchObject({ master: 'realtime0', region: 'secureRam' });
    expect(chip.interrupts.isHigh(128)).toBe(true);
  });

  it('hears interrupts at once, and shares its memory byte by byte', async () => {
    // Enables line 11 (mailbox signals), then answers each in shared memory: a counter that it raises.
    // ldr r0, =mailbox; movs r1, #3; str r1, [r0, #0x18]; ldr r2, =shared; 1: ldr r3, [r0, #0x1c]; cmp r3, #0;
    // beq 1b; str r3, [r0, #0x1c]; ldrb r4, [r2]; adds r4, #1; strb r4, [r2]; str r1, [r0, #0x14]; b 1b
    const code = [
      0x4806, 0x2103, 0x6181, 0x4a06, 0x69c3, 0x2b00, 0xd0fc, 0x61c3, 0x7814, 0x3401, 0x7014, 0x6141, 0xe7f5,
    ];
    const chip = started([...code, 0xbf00, ...[0x2105_0000, BUS_REGIONS.intercore0.offset].flatMap(word)]);
    const core = chip.realTimeCores[0];
    const count = (): number => chip.bus.readMemory('realtime0', BUS_REGIONS.intercore0.offset, 1)[0] ?? 0;
    for (let round = 1; round <= 20; round++) {
      core?.application.write(BOX.SW_TX_INT_PORT, 1);
      await comes(() => core?.application.read(BOX.SW_RX_INT_STS) !== 0);
      core?.application.write(BOX.SW_RX_INT_STS, 3);
      expect(count()).toBe(round);
    }
  });

  it('stays in the chip’s thread where a debugger may look at it', () => {
    const chip = started([0xe7fe]);
    const core = chip.realTimeCores[0];
    expect(core?.realTime).toBe(null);
    core?.clear(true);
    core?.load(CODE, halves(0xe7fe));
    expect(core?.realTime).not.toBe(null);
  });

  it('does not outlive its program: what a stopped one still asks for is refused', async () => {
    // ldr r0, =gpio2; movs r1, #1; 1: str r1, [r0, #0x14]; str r1, [r0, #0x18]; b 1b
    const code = [0x4802, 0x2101, 0x6141, 0x6181, 0xe7fc, 0xbf00, ...word(BUS_REGIONS.gpio2.offset)];
    const chip = started(code, ['gpio2']);
    const out = (): number => chip.bus.read('realtime0', BUS_REGIONS.gpio2.offset + 0x10);
    await comes(() => out() === 1);
    chip.realTimeCores[0]?.clear();
    for (let look = 0; look < 20; look++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(out()).toBe(0);
    }
    expect(chip.realTimeCores[0]?.state).toBe('off');
  });
});

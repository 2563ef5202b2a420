import { BUS_REGIONS, MAILBOX_REGISTERS as R } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { runningCore } from '../cores/testing/chip-with-core.ts';

const A7 = 0x2105_0000;
const M4 = 0x2106_0000;
const HANDSHAKE = [
  [0xba5e_0001, 0x8040_000c],
  [0xba5e_0002, 0x8040_100c],
  [0xba5e_0003, 0],
] as const;

describe('a mailbox', () => {
  it('brings the handshake to a core that resets its own side before it looks', () => {
    const { core, read, write, run } = runningCore();
    for (const [command, data] of HANDSHAKE) {
      core.application.write(R.DATA_POST, data);
      core.application.write(R.CMD_POST, command);
    }
    core.application.write(R.SW_TX_INT_PORT, 2);
    for (const reset of [2, 1]) {
      write(A7 + R.GEN_CTRL, reset);
      run(1e-5);
      expect(read(A7 + R.POP_CNT)).toBe(3);
    }
    expect(core.application.read(R.POST_CNT)).toBe(3);
    for (const [command, data] of HANDSHAKE) {
      expect(read(A7 + R.DATA_POP)).toBe(data);
      expect(read(A7 + R.CMD_POP)).toBe(command);
    }
    expect(read(A7 + R.CMD_POP)).toBe(0);
    expect(read(A7 + R.SW_RX_INT_STS)).toBe(2);
    expect(read(A7 + R.VERSION)).toBe(0x3620_0000);
  });

  it.each([1, 2])('goes on interrupting for signals when a program resets its end by %i', (reset) => {
    const { core, write, run, enable, interrupts } = runningCore();
    write(A7 + R.SW_RX_INT_EN, 2);
    write(A7 + R.GEN_CTRL, reset);
    enable(11);
    core.application.write(R.SW_TX_INT_PORT, 2);
    run(1e-5);
    expect(interrupts()).toEqual([11]);
  });

  it('interrupts for no signal once the application core has reset both ends', () => {
    const { core, read, write, run, enable, interrupts } = runningCore();
    write(A7 + R.SW_RX_INT_EN, 2);
    core.application.write(R.GEN_CTRL, 1);
    enable(11);
    core.application.write(R.SW_TX_INT_PORT, 2);
    run(1e-5);
    expect(interrupts()).toEqual([]);
    expect(read(A7 + R.SW_RX_INT_EN)).toBe(0);
  });

  it('holds fifteen each way and loses what is beyond', () => {
    const { core, read, write } = runningCore();
    for (let item = 1; item <= 16; item++) write(A7 + R.CMD_POST, item);
    expect(read(A7 + R.POST_CNT)).toBe(15);
    const popped = Array.from({ length: 16 }, () => core.application.read(R.CMD_POP));
    expect(popped).toEqual([...Array.from({ length: 15 }, (_, index) => index + 1), 0]);
  });

  it('signals by bits: only those that are enabled interrupt, until they are cleared', () => {
    const { chip, core, read, write, run, enable, interrupts } = runningCore();
    enable(11);
    core.application.write(R.SW_TX_INT_PORT, 1);
    run(1e-5);
    expect(interrupts()).toEqual([]);
    write(A7 + R.SW_RX_INT_EN, 2);
    core.application.write(R.SW_TX_INT_PORT, 2);
    run(1e-5);
    expect(interrupts()).toEqual([11]);
    expect(read(A7 + R.SW_RX_INT_STS)).toBe(3);
    write(A7 + R.SW_RX_INT_STS, 2);
    enable(11);
    run(1e-5);
    // It was up while its handler ran, so it was waiting once more.
    enable(11);
    run(1e-5);
    expect(interrupts().length).toBeLessThan(3);
    // The other way: the application core's line.
    core.application.write(R.SW_RX_INT_EN, 3);
    write(A7 + R.SW_TX_INT_PORT, 1);
    expect(chip.interrupts.isHigh(128)).toBe(true);
    core.application.write(R.SW_RX_INT_STS, 1);
    expect(chip.interrupts.isHigh(128)).toBe(false);
  });

  it.each([
    ['something was written', 2, 8],
    ['something is there', 1, 9],
    ['either', 3, 10],
  ])('interrupts when %s', (_what, enabled, line) => {
    const { core, write, run, enable, interrupts } = runningCore();
    write(A7 + R.INT_EN, enabled);
    enable(line);
    core.application.write(R.CMD_POST, 1);
    run(1e-5);
    expect(interrupts()).toEqual([line]);
  });

  it('interrupts when what was posted has been read, and when there is room again', () => {
    const { core, write, run, enable, interrupts } = runningCore();
    for (let item = 0; item < 15; item++) write(A7 + R.CMD_POST, item);
    write(A7 + R.INT_EN, 12);
    enable(6, 7);
    run(1e-5);
    expect(interrupts()).toEqual([]);
    core.application.read(R.CMD_POP);
    run(1e-5);
    expect(interrupts()).toEqual([6, 7]);
  });

  it('has a semaphore that one side holds at a time, between a core and the application core only', () => {
    const { core, read, write } = runningCore();
    expect(read(A7 + R.SEMAPHORE)).toBe(1);
    expect(core.application.read(R.SEMAPHORE)).toBe(0);
    core.application.write(R.SEMAPHORE, 0);
    expect(core.application.read(R.SEMAPHORE)).toBe(0);
    write(A7 + R.SEMAPHORE, 0);
    expect(core.application.read(R.SEMAPHORE)).toBe(1);
    expect(read(A7 + R.SEMAPHORE)).toBe(0);
    expect(read(M4 + R.SEMAPHORE)).toBe(0);
  });

  it('is between the real-time cores as well, and each may reset both ends of that one', () => {
    const first = runningCore();
    const second = runningCore({ chip: first.chip, index: 1 });
    first.write(M4 + R.DATA_POST, 5);
    first.write(M4 + R.CMD_POST, 6);
    expect(second.read(M4 + R.DATA_POP)).toBe(5);
    second.write(M4 + R.GEN_CTRL, 1);
    expect(second.read(M4 + R.POP_CNT)).toBe(0);
    expect(first.read(M4 + R.POST_CNT)).toBe(0);
  });

  it('shares memory with the application core, byte for byte, and no more than that', () => {
    const { chip, realTime, read, write } = runningCore();
    const at = BUS_REGIONS.intercore0.offset;
    write(at, 0x0403_0201);
    realTime.core.processor.store((at + 5) | 0, 1, 9);
    expect([...chip.bus.readMemory('realtime0', at, 6)]).toEqual([1, 2, 3, 4, 0, 9]);
    expect(read(at + 4)).toBe(0x900);
    for (const address of [BUS_REGIONS.intercore1.offset, at - 4, BUS_REGIONS.normalRam.offset])
      expect(() => read(address)).toThrow(expect.objectContaining({ name: 'PRECISERR' }));
    expect(chip.bus.firewall.violations).toHaveLength(3);
  });
});

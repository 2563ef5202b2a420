import { BUS_REGIONS } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { runningCore, type RunningCore } from '../cores/testing/chip-with-core.ts';
import { SYSRAM } from '../cores/state.ts';
import { CodecModel } from '../models/codec.ts';

const I2S = BUS_REGIONS.i2s0.offset;
const DATA = BUS_REGIONS.i2s0Data.offset;
const DMA = 0x2108_0000;
/** Enabled, both FIFOs; 8 kHz, 16 bits, I2S. */
const [ON, RATE_8K, RATE_48K] = [7, 9, 9 | (0xa << 8)];

function withCodec(): RunningCore & { readonly codec: CodecModel } {
  const world = runningCore({ regions: ['i2s0', 'i2s0Data'] });
  const codec = new CodecModel();
  world.chip.i2s[0]?.attach(codec);
  return { ...world, codec };
}

describe('I2S', () => {
  it('plays what software writes, frame by frame at its rate, and then the empty value', () => {
    const { write, read, run, codec, enable, interrupts } = withCodec();
    for (const [left, right] of [
      [1, -1],
      [1000, -32768],
    ] as const)
      write(DATA, (left << 16) | (right & 0xffff));
    write(I2S + 0x20, 0x0007_0008);
    write(I2S + 0x40, 1 << 17);
    write(I2S + 0x04, RATE_8K);
    write(I2S + 0x00, ON);
    enable(68);
    expect(read(I2S + 0x10) >>> 8).toBe(2);
    run(0.000_255);
    expect(codec.played).toEqual([
      { left: 1, right: -1 },
      { left: 1000, right: -32768 },
    ]);
    expect(interrupts()).toEqual([]);
    run(0.000_125);
    expect(codec.played.at(-1)).toEqual({ left: 7, right: 8 });
    expect(interrupts()).toEqual([68]);
    write(I2S + 0x44, 1 << 17);
    expect(read(I2S + 0x48)).toBe(0);
    write(I2S + 0x00, 0);
    const { length } = codec.played;
    run(0.01);
    expect(codec.played).toHaveLength(length);
  });

  it('plays and records rings in memory by DMA, without a gap', () => {
    const { write, read, run, codec, realTime } = withCodec();
    codec.microphone = (frame) => 3 * frame;
    const words = Uint32Array.from({ length: 256 }, (_, index) => (index << 16) | index);
    realTime.load(SYSRAM.base, new Uint8Array(words.buffer));
    const channel = (number: number, values: readonly (readonly [number, number])[]): void => {
      for (const [register, value] of values) write(DMA + 0x100 * number + register, value);
    };
    channel(25, [
      [0x2c, SYSRAM.base],
      [0x60, DATA],
      [0x44, 256],
      [0x5c, 1 << 16],
      [0x14, 2 | 16],
      [0x18, 1 << 15],
    ]);
    channel(26, [
      [0x2c, SYSRAM.base + 0x2000],
      [0x60, DATA],
      [0x44, 512],
      [0x14, 2 | 16 | (1 << 18)],
      [0x18, 1 << 15],
    ]);
    write(I2S + 0x30, (1 << 15) | (2 ** 31));
    write(I2S + 0x04, RATE_48K);
    write(I2S + 0x08, RATE_48K);
    write(I2S + 0x00, ON);
    run(200.5 / 48_000);
    expect(codec.played.map(({ left }) => left)).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect(read(DMA + 0x1a00 + 0x38)).toBe(200);
    const recorded = new Int32Array(realTime.core.memory.read(SYSRAM.base + 0x2000, 800).buffer);
    expect([...recorded].map((word) => word >> 16)).toEqual(
      Array.from({ length: 200 }, (_, index) => 3 * index),
    );
    expect(read(I2S + 0x48)).toBe(0);
  });

  it('doubles the one sample of mono, and hears itself in a loop', () => {
    const { write, read, run, codec } = withCodec();
    write(DATA, 0x1234);
    write(I2S + 0x04, RATE_8K);
    write(I2S + 0x08, RATE_8K);
    write(I2S + 0x00, (ON | (1 << 8) | (1 << 31)) >>> 0);
    run(0.000_13);
    expect(read(DATA)).toBe(0x1234_1234);
    expect(codec.played).toEqual([]);
  });
});

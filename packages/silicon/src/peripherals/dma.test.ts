import { BUS_REGIONS } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { runningCore, type RunningCore } from '../cores/testing/chip-with-core.ts';
import { SYSRAM, TCM } from '../cores/state.ts';
import { LoopbackModel, TemperatureSensorModel } from '../models/sensors.ts';
import type { SpiDevice } from './spi.ts';

const DMA = 0x2108_0000;
const R = {
  SRC: 0,
  DST: 4,
  COUNT: 0x10,
  CON: 0x14,
  START: 0x18,
  INTSTA: 0x1c,
  ACKINT: 0x20,
  RLCT: 0x24,
} as const;
const V = {
  PGMADDR: 0x2c,
  FFCNT: 0x38,
  FFSTA: 0x3c,
  FFSIZE: 0x44,
  TO: 0x50,
  HWPTR: 0x58,
  SWPTR: 0x5c,
  FIXADDR: 0x60,
} as const;
const ISU1 = BUS_REGIONS.isu1.offset;
const UART = ISU1 + 0x500;
const GO = 1 << 15;
const INTERRUPT = 1 << 15;
const TIMEOUT = 1 << 14;
const FROM = 1 << 18;

const channelOf = (world: RunningCore, channel: number) => ({
  /** START comes last, whatever else there is. */
  set: (values: Readonly<Record<number, number>>) => {
    const at = DMA + 0x100 * channel;
    for (const [register, value] of Object.entries(values))
      if (Number(register) !== R.START) world.write(at + Number(register), value);
    const start = values[R.START];
    if (start !== undefined) world.write(at + R.START, start);
  },
  get: (register: number) => world.read(DMA + 0x100 * channel + register),
});
const bytesAt = ({ realTime }: RunningCore, address: number, length: number): number[] => [
  ...realTime.core.memory.read(address, length),
];

describe('DMA between memories', () => {
  it('copies words of SYSRAM and interrupts when it is done, which takes its time', () => {
    const world = runningCore();
    const { set, get } = channelOf(world, 12);
    const words = Uint32Array.from({ length: 1000 }, (_, index) => index * 3);
    world.realTime.load(SYSRAM.base, new Uint8Array(words.buffer));
    world.enable(77);
    set({
      [R.SRC]: SYSRAM.base,
      [R.DST]: SYSRAM.base + 0x8000,
      [R.COUNT]: 1000,
      [R.CON]: 2 | 4 | 8 | INTERRUPT,
    });
    set({ [R.START]: GO });
    expect(get(R.RLCT)).toBe(936);
    world.run(1000 / 49.4e6 + 1e-6);
    expect(get(R.RLCT)).toBe(0);
    expect(get(R.START)).toBe(0);
    expect(bytesAt(world, SYSRAM.base + 0x8000, 4000)).toEqual([...new Uint8Array(words.buffer)]);
    expect(world.interrupts()).toEqual([77]);
    expect(world.read(DMA + 0x4000)).toBe(2 << 24);
    set({ [R.ACKINT]: INTERRUPT });
    expect([get(R.INTSTA), world.read(DMA + 0x4000)]).toEqual([0, 0]);
  });

  it.each([
    ['TCM', TCM.base],
    ['its own registers', DMA + 0x5c],
    ['the watchdog', 0x2102_0044],
    ['the mailbox', 0x2105_0040],
    ['what its core was not given', BUS_REGIONS.gpio0.offset + 0x10],
    ['the Security Monitor’s memory', BUS_REGIONS.secureRam.offset],
    ['an odd address', SYSRAM.base + 1],
  ])('does not reach %s', (_what, address) => {
    const world = runningCore();
    const { set, get } = channelOf(world, 12);
    set({ [R.SRC]: SYSRAM.base, [R.DST]: address, [R.COUNT]: 4, [R.CON]: 2 | INTERRUPT, [R.START]: GO });
    expect([get(R.START), get(R.RLCT), get(R.INTSTA)]).toEqual([0, 4, 0]);
    expect(world.core.state).toBe('running');
  });
});

describe('rings before a UART', () => {
  function serial(): RunningCore {
    const world = runningCore({ regions: ['isu1'] });
    world.chip.isus[1]?.uart.attach(new LoopbackModel());
    for (const [register, value] of [
      [0x0c, 0x80],
      [0, 1],
      [4, 0],
      [0x0c, 3],
      [0x24, 3],
      [0x28, 224],
      [0x4c, 1],
    ] as const)
      world.write(UART + register, value);
    return world;
  }

  it('send what software puts in, at the pace of the wire, and receive what comes', () => {
    const world = serial();
    const text = Array.from({ length: 40 }, (_, index) => 65 + (index % 26));
    world.realTime.load(SYSRAM.base, Uint8Array.from(text));
    const send = channelOf(world, 15);
    const receive = channelOf(world, 16);
    receive.set({ [V.PGMADDR]: SYSRAM.base + 0x1000, [V.FIXADDR]: UART, [V.FFSIZE]: 32, [R.COUNT]: 20 });
    receive.set({ [R.CON]: FROM | INTERRUPT, [R.START]: GO });
    send.set({ [V.PGMADDR]: SYSRAM.base, [V.FIXADDR]: UART, [V.FFSIZE]: 64, [V.SWPTR]: 40, [R.START]: GO });
    world.enable(77);
    // Sixteen went into the UART's own FIFO at once.
    expect(send.get(V.FFCNT)).toBe(24);
    world.run(87e-6 * 19.5);
    expect(receive.get(V.FFCNT)).toBe(19);
    expect(world.interrupts()).toEqual([]);
    world.run(87e-6);
    expect(world.interrupts()).toEqual([77]);
    world.run(87e-6 * 30);
    // Its ring is full, and the UART goes on to hold eight more.
    expect([receive.get(V.FFCNT), receive.get(V.FFSTA), receive.get(V.HWPTR)]).toEqual([32, 1, 1 << 16]);
    expect(world.read(UART + 0x68)).toBe(8);
    receive.set({ [V.SWPTR]: 16 });
    expect([receive.get(V.FFCNT), receive.get(V.HWPTR)]).toEqual([24, (1 << 16) | 8]);
    expect(bytesAt(world, SYSRAM.base + 0x1000, 32)).toEqual([...text.slice(32), ...text.slice(8, 32)]);
    expect([send.get(V.FFCNT), send.get(V.FFSTA)]).toEqual([0, 2]);
  });

  it('tell of few bytes after a while', () => {
    const world = serial();
    const { set, get } = channelOf(world, 16);
    set({ [V.PGMADDR]: SYSRAM.base, [V.FIXADDR]: UART, [V.FFSIZE]: 64, [R.COUNT]: 50, [V.TO]: 26_000 });
    set({ [R.CON]: FROM | INTERRUPT | TIMEOUT, [R.START]: GO });
    world.enable(77);
    for (let byte = 0; byte < 3; byte++) world.chip.isus[1]?.uart.arrive(byte);
    world.run(0.0009);
    expect(world.interrupts()).toEqual([]);
    world.run(0.0002);
    expect(world.interrupts()).toEqual([77]);
    expect([get(R.INTSTA), get(V.FFCNT)]).toEqual([1 << 16, 3]);
  });

  it('stop where their channel is paused or reset', () => {
    const world = serial();
    const { set, get } = channelOf(world, 16);
    set({ [V.PGMADDR]: SYSRAM.base, [V.FIXADDR]: UART, [V.FFSIZE]: 64, [R.CON]: FROM, [R.START]: GO });
    world.write(DMA + 0x4030, 1 << 16);
    world.chip.isus[1]?.uart.arrive(1);
    expect(get(V.FFCNT)).toBe(0);
    world.write(DMA + 0x4030, 0);
    expect(get(V.FFCNT)).toBe(1);
    world.write(DMA + 0x4008, 1 << 16);
    expect([get(V.FFSIZE), get(R.START), get(V.FFCNT)]).toEqual([0, 0, 0]);
  });
});

describe('DMA of I2C and SPI', () => {
  it('writes a sensor’s pointer and reads its register by two channels, in the time of the wires', () => {
    const world = runningCore({ regions: ['isu1'] });
    world.chip.isus[1]?.i2c.attach(new TemperatureSensorModel(0x48));
    const i2c = ISU1 + 0x200;
    world.realTime.load(SYSRAM.base, Uint8Array.of(0));
    const send = channelOf(world, 2);
    const receive = channelOf(world, 3);
    send.set({
      [V.PGMADDR]: SYSRAM.base,
      [V.FIXADDR]: i2c + 0x90,
      [R.COUNT]: 1,
      [R.CON]: 4 | (1 << 4),
      [R.START]: GO,
    });
    receive.set({ [V.PGMADDR]: SYSRAM.base + 0x10, [V.FIXADDR]: i2c + 0x90, [R.COUNT]: 2 });
    receive.set({ [R.CON]: 8 | (1 << 4) | FROM | INTERRUPT, [R.START]: GO });
    // 400 kHz, two packets: a byte out, two in.
    for (const [register, value] of [
      [0x00, 2],
      [0x44, 0x1110_1010],
      [0x54, 1],
      [0x58, 2],
      [0x60, 0x48],
      [0x68, 0x12],
      [0x70, 0x8001],
    ] as const)
      world.write(i2c + register, value);
    world.enable(48, 77);
    expect(world.read(i2c + 0x74)).toBe(1);
    // Five bytes of nine bits at 2.5 µs.
    world.run(105e-6);
    expect(world.interrupts()).toEqual([]);
    expect(world.read(i2c + 0x74)).toBe(1);
    world.run(15e-6);
    // STOP follows the last byte, and its interrupt is the more urgent one: drivers count on that.
    expect(world.interrupts()).toEqual([48, 77]);
    expect(world.read(i2c + 0x74)).toBe(4);
    expect(bytesAt(world, SYSRAM.base + 0x10, 2)).toEqual([21, 0]);
  });

  it('takes what a burst has received out of the data port, and leaves it in both halves of SDIR', () => {
    const world = runningCore({ regions: ['isu1'] });
    const device: SpiDevice = {
      modes: [0],
      selectLevel: 0,
      select() {},
      exchange: (byte) => byte ^ 0xff,
      deselect() {},
    };
    world.chip.isus[1]?.spi.attach(0, device);
    const spi = ISU1 + 0x300;
    const receive = channelOf(world, 3);
    receive.set({ [V.PGMADDR]: SYSRAM.base, [V.FIXADDR]: spi + 0x40, [R.COUNT]: 2 });
    receive.set({ [R.CON]: 2 | 8 | (1 << 4) | FROM | INTERRUPT, [R.START]: GO });
    for (const [register, value] of [
      [0x08, 0x0403_0201],
      [0x0c, 0x0605],
      // Full duplex; six bytes each way; by DMA.
      [0x28, (1 << 10) | (18 << 16)],
      [0x2c, (48 << 12) | 48],
      [0x38, 1 << 8],
      [0x00, 1 << 8],
    ] as const)
      world.write(spi + register, value);
    world.enable(77);
    world.run(20e-6);
    expect(world.interrupts()).toEqual([77]);
    const received = [0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9];
    expect(bytesAt(world, SYSRAM.base, 6)).toEqual(received);
    expect([world.read(spi + 0x48), world.read(spi + 0x58)]).toEqual([0xfbfc_fdfe, 0xfbfc_fdfe]);
  });

  it('sends a burst as thirteen words through the data port', () => {
    const world = runningCore({ regions: ['isu1'] });
    const sent: number[] = [];
    const device: SpiDevice = {
      modes: [0],
      selectLevel: 0,
      select() {},
      exchange: (byte) => {
        sent.push(byte);
        return 0xff;
      },
      deselect() {},
    };
    world.chip.isus[1]?.spi.attach(0, device);
    const spi = ISU1 + 0x300;
    const words = new Uint32Array(13);
    // SOAR, SDOR0, SMMR (select A, interrupt, 40 MHz / …), SMBCR (8 bits of command, 32 out), STCSR, and one word more.
    words.set([0x9f, 0x0403_0201]);
    words.set([(1 << 9) | (18 << 16), (8 << 24) | 32, 1 << 8, 0], 9);
    world.realTime.load(SYSRAM.base, new Uint8Array(words.buffer));
    const { set, get } = channelOf(world, 2);
    set({
      [V.PGMADDR]: SYSRAM.base,
      [V.FIXADDR]: spi + 0x40,
      [R.COUNT]: 13,
      [R.CON]: 2 | 4 | (1 << 4),
      [R.START]: GO,
    });
    world.enable(49);
    expect([get(R.RLCT), sent.length]).toEqual([1, 0]);
    expect(world.read(spi) & (1 << 16)).not.toBe(0);
    // 40 bits at 79.04 / 20 MHz: 10.1 µs.
    world.run(9e-6);
    expect(world.interrupts()).toEqual([]);
    world.run(3e-6);
    expect(sent).toEqual([0x9f, 1, 2, 3, 4]);
    expect(world.interrupts()).toEqual([49]);
    expect([get(R.RLCT), world.read(spi) & (1 << 16)]).toEqual([0, 0]);
    // Reading the status is what acknowledges it.
    expect([world.read(spi + 0x34), world.read(spi + 0x34)]).toEqual([1, 0]);
  });
});

describe('DMA of the ADC', () => {
  it('fills a ring with samples of the channels that are converted again and again', () => {
    const world = runningCore({ regions: ['adc'] });
    const adc = BUS_REGIONS.adc.offset;
    world.chip.adc.attach(1, () => 1.25);
    world.chip.adc.attach(3, () => 2.5);
    const { set, get } = channelOf(world, 29);
    set({ [V.PGMADDR]: SYSRAM.base, [V.FIXADDR]: adc + 0x200, [V.FFSIZE]: 16, [R.COUNT]: 4 });
    set({ [R.CON]: 2 | FROM | INTERRUPT, [R.START]: GO });
    world.enable(77);
    // Every 100 µs, channels 1 and 3; the ring counts words.
    for (const [register, value] of [
      [0, 1],
      [0x24c, 1],
      [0x104, 199],
      [0x100, (0b1010 << 16) | (1 << 8) | 1],
    ] as const)
      world.write(adc + register, value);
    expect(get(V.FFCNT)).toBe(2);
    world.run(0.00011);
    expect([get(V.FFCNT), get(V.HWPTR)]).toEqual([4, 16]);
    expect(world.interrupts()).toEqual([77]);
    const samples = new Int32Array(Uint8Array.from(bytesAt(world, SYSRAM.base, 16)).buffer);
    expect([...samples]).toEqual([(2048 << 4) | 1, (4095 << 4) | 3, (2048 << 4) | 1, (4095 << 4) | 3]);
    world.write(adc + 0x100, 0);
    world.run(0.01);
    expect(get(V.FFCNT)).toBe(4);
    // Acknowledged with everything still there, it tells again; not once it has been taken.
    set({ [R.ACKINT]: INTERRUPT });
    expect(get(R.INTSTA)).toBe(INTERRUPT);
    set({ [V.SWPTR]: 16 });
    set({ [R.ACKINT]: INTERRUPT });
    expect(get(R.INTSTA)).toBe(0);
  });
});

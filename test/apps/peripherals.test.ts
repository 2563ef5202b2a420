import { virtualBoard } from '@sevenfold/device';
import type { BuiltApp } from '@sevenfold/sdk';
import {
  ButtonModel,
  I2cEepromModel,
  LedModel,
  PotentiometerModel,
  PwmModel,
  SpiEepromModel,
  TemperatureSensorModel,
} from '@sevenfold/silicon';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { buildExamples, install, linesOf } from './device-apps.ts';

const NAMES = ['button', 'serial', 'thermometer', 'memory', 'dimmer'] as const;
type Name = (typeof NAMES)[number];
let apps: Readonly<Record<Name, BuiltApp>>;

beforeAll(async () => {
  apps = await buildExamples(NAMES);
});

/** A device on the virtual board that runs one of the examples. */
async function deviceWith(name: Name): Promise<KernelWorld> {
  const world = await KernelWorld.boot({ board: await virtualBoard() });
  await install(world, apps[name]);
  return world;
}

/** A part of the board, as what it is. */
function part<Model>(
  world: KernelWorld,
  name: string,
  kind: abstract new (...args: never[]) => Model,
): Model {
  const found = world.parts.get(name);
  if (!(found instanceof kind)) throw new Error(`The board has no such ${name}.`);
  return found;
}

describe('an app on the virtual board', () => {
  it('lights a lamp for as long as a button is pressed (gpio.h)', async () => {
    const world = await deviceWith('button');
    const button = part(world, 'BUTTON_A', ButtonModel);
    const lamp = part(world, 'LED2_RED', LedModel);
    await world.clock.advance(100);
    expect(lamp.isLit).toBe(false);
    button.press();
    await world.clock.advance(20);
    expect(lamp.isLit).toBe(true);
    button.release();
    await world.clock.advance(20);
    expect([lamp.isLit, lamp.blinks]).toEqual([false, 1]);
    expect(linesOf(world, 'button')).toEqual(['button pressed', 'button released']);
  });

  it('gets back over a wire what it sent, in the time of the wire (uart.h)', async () => {
    const world = await deviceWith('serial');
    // 2,000 bytes of 10 bits at 115,200 baud take 174 ms.
    await world.clock.advance(1170);
    expect(linesOf(world, 'serial')).toEqual([]);
    await world.clock.advance(30);
    expect(linesOf(world, 'serial')).toEqual(['2000 bytes came back']);
    await world.clock.advance(9_000);
    expect(linesOf(world, 'serial')).toEqual(Array.from({ length: 10 }, () => '2000 bytes came back'));
  });

  it('reads a sensor and keeps what it read in an EEPROM on the same bus (i2c.h)', async () => {
    const world = await deviceWith('thermometer');
    const sensor = part(world, 'TEMPERATURE', TemperatureSensorModel);
    await world.clock.advance(1100);
    sensor.celsius = 30.25;
    await world.clock.advance(1000);
    sensor.celsius = 12.5;
    await world.clock.advance(1000);
    expect(linesOf(world, 'thermometer')).toEqual([
      'nobody at 0x33: No such device or address',
      'low limit 75 degrees',
      'written after 5 ms',
      '21.00 degrees, highest 21.00',
      'written after 5 ms',
      '30.25 degrees, highest 30.25',
      '12.50 degrees, highest 30.25',
    ]);
    const { content } = part(world, 'EEPROM', I2cEepromModel);
    expect(((content[0x40] ?? 0) << 8) | (content[0x41] ?? 0)).toBe(30.25 * 16);
  });

  it('writes a page of an EEPROM and reads it back, beside another part of the bus (spi.h)', async () => {
    const world = await deviceWith('memory');
    await world.clock.advance(100);
    expect(linesOf(world, 'memory')).toEqual([
      'the sensor is 0x69',
      'written after 5 ms',
      'the page is the same',
      'mirrored it is 0x96',
    ]);
    const { content } = part(world, 'SPI_EEPROM', SpiEepromModel);
    expect([...content.subarray(0x140, 0x180)]).toEqual(Array.from({ length: 64 }, (_, i) => (i * 3) & 0xff));
    expect(world.reports[0]).toMatchObject({ kind: 'AppExit', exitCode: 0 });
  });

  it('dims a lamp with a knob, and lets it go dark when it ends (adc.h, pwm.h)', async () => {
    const world = await deviceWith('dimmer');
    const lamp = part(world, 'DIMMED_RED', PwmModel);
    const knob = part(world, 'POTENTIOMETER', PotentiometerModel);
    knob.position = 0.25;
    await world.clock.advance(150);
    expect(lamp.duty).toBeCloseTo(0.25, 3);
    knob.position = 1;
    await world.clock.advance(100);
    expect(lamp.duty).toBe(1);
    await world.services('appRemoved', apps.dimmer.componentId);
    expect(lamp.duty).toBe(0);
  });
});

import {
  ADC_REFERENCES,
  booleanArgument,
  bytesArgument,
  choiceArgument,
  listArgument,
  PortError,
  recordArgument,
  uintArgument,
  type PortValue,
} from '@sevenfold/formats';
import type { COMPARTMENT_CALLS } from './compartment-calls.ts';
import type { Compartment } from './compartments.ts';
import type { PwmState } from './drivers/analog-drivers.ts';
import type { Drivers } from './drivers/drivers.ts';
import { PIN_MODES } from './drivers/gpio-driver.ts';
import { I2C_SPEEDS, MOST_I2C } from './drivers/i2c-driver.ts';
import { MOST_SPI, SPI_SPEEDS, type SpiSegment, type SpiSettings } from './drivers/spi-driver.ts';
import { BAUD_RATES, type UartSettings } from './drivers/uart-driver.ts';

/** One answer to a compartment. */
export type CompartmentAnswer = (
  compartment: Compartment,
  ...args: readonly PortValue[]
) => PortValue | Promise<PortValue>;

type PeripheralCall = Extract<
  keyof typeof COMPARTMENT_CALLS,
  `${'gpio' | 'uart' | 'i2c' | 'spi' | 'adc' | 'pwm'}${string}`
>;

const MOST_PIN = 255;
const MOST_UNIT = 255;
const MOST_CHUNK = 4096;
const MOST_SEGMENTS = 256;
const LONGEST_TIMEOUT = 60_000;
const U32 = { max: 0xffffffff };

const pinOf = (value: PortValue | undefined): number => uintArgument(value, 'pin', { max: MOST_PIN });
const unitOf = (value: PortValue | undefined): number => uintArgument(value, 'unit', { max: MOST_UNIT });
const bit = (value: PortValue | undefined, field: string): 0 | 1 =>
  uintArgument(value, field, { max: 1 }) === 1 ? 1 : 0;

function uartSettings(untrusted: PortValue | undefined): UartSettings {
  const fields = recordArgument(untrusted, 'settings', [
    'baudRate',
    'dataBits',
    'parity',
    'stopBits',
    'flowControl',
  ]);
  return {
    baudRate: uintArgument(fields.baudRate, 'settings.baudRate', BAUD_RATES),
    dataBits: uintArgument(fields.dataBits, 'settings.dataBits', { min: 5, max: 8 }),
    parity: choiceArgument(fields.parity, 'settings.parity', ['none', 'even', 'odd']),
    stopBits: uintArgument(fields.stopBits, 'settings.stopBits', { min: 1, max: 2 }) === 2 ? 2 : 1,
    flowControl: choiceArgument(fields.flowControl, 'settings.flowControl', ['none', 'rtscts', 'xonxoff']),
  };
}

function spiSettings(untrusted: PortValue | undefined): SpiSettings {
  const fields = recordArgument(untrusted, 'settings', ['mode', 'isLsbFirst', 'speed']);
  return {
    mode: uintArgument(fields.mode, 'settings.mode', { max: 3 }),
    isLsbFirst: booleanArgument(fields.isLsbFirst, 'settings.isLsbFirst'),
    speed: uintArgument(fields.speed, 'settings.speed', SPI_SPEEDS),
  };
}

function spiSegments(untrusted: PortValue | undefined): readonly SpiSegment[] {
  const segments = listArgument(untrusted, 'segments', MOST_SEGMENTS, (item, field): SpiSegment => {
    const isRead = typeof item === 'number';
    return isRead
      ? { read: uintArgument(item, field, { max: MOST_SPI }) }
      : { write: bytesArgument(item, field, { max: MOST_SPI }) };
  });
  const length = segments.reduce(
    (sum, segment) => sum + ('write' in segment ? segment.write.length : segment.read),
    0,
  );
  if (length > MOST_SPI)
    throw new PortError('BadArgument', `A transfer has at most ${MOST_SPI} bytes.`, { field: 'segments' });
  return segments;
}

function pwmState(untrusted: PortValue | undefined): PwmState {
  const fields = recordArgument(untrusted, 'state', ['period', 'duty', 'isInverted', 'isEnabled']);
  const period = uintArgument(fields.period, 'state.period', { min: 1, ...U32 });
  return {
    period,
    duty: uintArgument(fields.duty, 'state.duty', { max: period }),
    isInverted: booleanArgument(fields.isInverted, 'state.isInverted'),
    isEnabled: booleanArgument(fields.isEnabled, 'state.isEnabled'),
  };
}

/** Answers compartments' calls to peripherals: arguments are read here, rights are the drivers' to judge. */
export function peripheralCalls(drivers: Drivers): Readonly<Record<PeripheralCall, CompartmentAnswer>> {
  const { gpio, uart, i2c, spi, adc, pwm } = drivers;
  return {
    gpioOpen: (compartment, pin, mode, initial) =>
      gpio.open(compartment, pinOf(pin), choiceArgument(mode, 'mode', PIN_MODES), bit(initial, 'initial')),
    gpioRead: (compartment, pin) => gpio.read(compartment, pinOf(pin)),
    gpioWrite: (compartment, pin, level) => gpio.write(compartment, pinOf(pin), bit(level, 'level')),
    gpioClose: (compartment, pin) => gpio.close(compartment, pinOf(pin)),

    uartOpen: (compartment, unit, settings) => uart.open(compartment, unitOf(unit), uartSettings(settings)),
    uartRead: (compartment, unit, most) =>
      uart.read(compartment, unitOf(unit), uintArgument(most, 'most', { min: 1, max: MOST_CHUNK })),
    uartWrite: (compartment, unit, bytes) =>
      uart.write(compartment, unitOf(unit), bytesArgument(bytes, 'bytes', { max: MOST_CHUNK })),
    uartWritable: (compartment, unit) => uart.writable(compartment, unitOf(unit)),
    uartClose: (compartment, unit) => uart.close(compartment, unitOf(unit)),

    i2cOpen: (compartment, unit) => i2c.open(compartment, unitOf(unit)),
    i2cTransfer: (compartment, unit, address, write, read, speed, timeout) =>
      i2c.transfer(compartment, unitOf(unit), {
        address: uintArgument(address, 'address', { max: 0x7f }),
        write: write === null ? null : bytesArgument(write, 'write', { max: MOST_I2C }),
        read: read === null ? null : uintArgument(read, 'read', { max: MOST_I2C }),
        speed: I2C_SPEEDS[uintArgument(speed, 'speed', { max: I2C_SPEEDS.length - 1 })] ?? I2C_SPEEDS[0],
        timeout: uintArgument(timeout, 'timeout', { max: LONGEST_TIMEOUT }),
      }),
    i2cClose: (compartment, unit) => i2c.close(compartment, unitOf(unit)),

    spiOpen: (compartment, unit, chipSelect, isActiveHigh) =>
      spi.open(
        compartment,
        unitOf(unit),
        bit(chipSelect, 'chipSelect'),
        booleanArgument(isActiveHigh, 'isActiveHigh'),
      ),
    spiTransfer: (compartment, unit, chipSelect, settings, segments) =>
      spi.transfer(
        compartment,
        unitOf(unit),
        bit(chipSelect, 'chipSelect'),
        spiSettings(settings),
        spiSegments(segments),
      ),
    spiClose: (compartment, unit, chipSelect) =>
      spi.close(compartment, unitOf(unit), bit(chipSelect, 'chipSelect')),

    adcOpen: (compartment, controller) => adc.open(compartment, unitOf(controller)),
    adcSample: (compartment, channel, reference) =>
      adc.sample(
        compartment,
        uintArgument(channel, 'channel', U32),
        uintArgument(reference, 'reference', { max: ADC_REFERENCES.length - 1 }),
      ),
    adcClose: (compartment) => adc.close(compartment),

    pwmOpen: (compartment, controller) => pwm.open(compartment, unitOf(controller)),
    pwmApply: (compartment, controller, channel, state) =>
      pwm.apply(compartment, unitOf(controller), uintArgument(channel, 'channel', U32), pwmState(state)),
    pwmClose: (compartment, controller) => pwm.close(compartment, unitOf(controller)),
  };
}

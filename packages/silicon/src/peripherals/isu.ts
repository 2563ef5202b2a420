import { I2C_OFFSET, INTERRUPT_LINES, SPI_OFFSET, UART_OFFSET } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { GpioUnit } from './gpio.ts';
import { I2cMaster } from './i2c.ts';
import {
  LINES_PER_UNIT,
  REQUESTS,
  SPI_REQUESTS,
  type InterruptLines,
  type PeripheralWiring,
} from './interrupts.ts';
import { registerSpace } from './register-space.ts';
import { SpiMaster } from './spi.ts';
import { Uart } from './uart.ts';

/** What a serial unit is wired to. */
export interface IsuWiring {
  readonly interrupts: InterruptLines;
  readonly requests: InterruptLines;
  readonly timeline: PeripheralWiring['timeline'];
}

/** A serial unit: I2C master, SPI master and UART on the same pins, one of which software uses at a time. */
export interface Isu {
  readonly i2c: I2cMaster;
  readonly spi: SpiMaster;
  readonly uart: Uart;
  readonly device: Peripheral;
}

/** Unit `index` of the chip, with the pins that share its region. */
export function makeIsu(index: number, pins: GpioUnit, { interrupts, requests, timeline }: IsuWiring): Isu {
  const wiring = (line: number, firstRequest: number): PeripheralWiring => ({
    interrupt: (isHigh) => interrupts.set(line + LINES_PER_UNIT * index, isHigh),
    request: (direction, isHigh) =>
      requests.set(firstRequest + 2 * index + (direction === 'receive' ? 1 : 0), isHigh),
    timeline,
  });
  const i2c = new I2cMaster(wiring(INTERRUPT_LINES.i2c, REQUESTS.i2c));
  const spi = new SpiMaster(wiring(INTERRUPT_LINES.spi, SPI_REQUESTS));
  const uart = new Uart(wiring(INTERRUPT_LINES.uart, REQUESTS.uart));
  const device = registerSpace([
    { offset: 0, length: I2C_OFFSET, device: pins },
    { offset: I2C_OFFSET, length: 0x100, device: i2c },
    { offset: SPI_OFFSET, length: 0x100, device: spi },
    { offset: UART_OFFSET, length: 0x100, device: uart },
  ]);
  return { i2c, spi, uart, device };
}

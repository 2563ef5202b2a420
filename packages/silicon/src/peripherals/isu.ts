import { I2C_OFFSET, INTERRUPT_LINES, SPI_OFFSET, UART_OFFSET } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { Timeline } from '../timeline.ts';
import type { GpioUnit } from './gpio.ts';
import { I2cMaster } from './i2c.ts';
import { LINES_PER_UNIT, type InterruptLines } from './interrupts.ts';
import { registerSpace } from './register-space.ts';
import { SpiMaster } from './spi.ts';
import { Uart } from './uart.ts';

/** A serial unit: I2C master, SPI master and UART on the same pins, one of which software uses at a time. */
export interface Isu {
  readonly i2c: I2cMaster;
  readonly spi: SpiMaster;
  readonly uart: Uart;
  readonly device: Peripheral;
}

/** Unit `index` of the chip, with the pins that share its region. */
export function makeIsu(
  index: number,
  pins: GpioUnit,
  interrupts: InterruptLines,
  timeline: () => Timeline | null,
): Isu {
  const line =
    (first: number) =>
    (isHigh: boolean): void =>
      interrupts.set(first + LINES_PER_UNIT * index, isHigh);
  const i2c = new I2cMaster(line(INTERRUPT_LINES.i2c));
  const spi = new SpiMaster(line(INTERRUPT_LINES.spi));
  const uart = new Uart(line(INTERRUPT_LINES.uart), timeline);
  const device = registerSpace([
    { offset: 0, length: I2C_OFFSET, device: pins },
    { offset: I2C_OFFSET, length: 0x100, device: i2c },
    { offset: SPI_OFFSET, length: 0x100, device: spi },
    { offset: UART_OFFSET, length: 0x100, device: uart },
  ]);
  return { i2c, spi, uart, device };
}

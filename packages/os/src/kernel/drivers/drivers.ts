import type { Port } from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { AdcDriver, PwmDriver } from './analog-drivers.ts';
import { DriverBus } from './bus.ts';
import { GpioDriver } from './gpio-driver.ts';
import { I2cDriver } from './i2c-driver.ts';
import { Ownership } from './ownership.ts';
import { SpiDriver } from './spi-driver.ts';
import { UartDriver } from './uart-driver.ts';

/** All drivers of the kernel, over one bus and one account of who holds what. */
export class Drivers {
  readonly bus: DriverBus;
  readonly gpio: GpioDriver;
  readonly uart: UartDriver;
  readonly i2c: I2cDriver;
  readonly spi: SpiDriver;
  readonly adc: AdcDriver;
  readonly pwm: PwmDriver;
  readonly #ownership = new Ownership();

  constructor(hardware: Port) {
    this.bus = new DriverBus(hardware);
    this.gpio = new GpioDriver(this.bus, this.#ownership);
    this.uart = new UartDriver(this.bus, this.#ownership);
    this.i2c = new I2cDriver(this.bus, this.#ownership);
    this.spi = new SpiDriver(this.bus, this.#ownership);
    this.adc = new AdcDriver(this.bus, this.#ownership);
    this.pwm = new PwmDriver(this.bus, this.#ownership);
  }

  /** Comes round after interrupts of the hardware. */
  async interrupted(lines: readonly number[]): Promise<void> {
    for (const line of lines) await this.uart.interrupted(line);
  }

  /** Closes whatever a compartment that ended had open. */
  release(compartment: Compartment): Promise<void> {
    return this.#ownership.release(compartment);
  }
}

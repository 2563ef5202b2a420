import type { Port } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';

/** Who holds which GPIO: a pin belongs to one compartment at a time, and only to one whose manifest names it. */
export class Pins {
  readonly #hardware: Port;
  readonly #owners = new Map<number, Compartment>();

  constructor(hardware: Port) {
    this.#hardware = hardware;
  }

  async open(
    compartment: Compartment,
    pin: number,
    direction: 'input' | 'output',
    initial: 0 | 1,
  ): Promise<null> {
    if (!compartment.application.capabilities.gpio.includes(pin)) {
      throw new KernelError('AccessDenied', `The manifest does not name GPIO ${pin}.`, {
        field: 'Capabilities.Gpio',
      });
    }
    if (this.#owners.has(pin)) throw new KernelError('DeviceBusy', `GPIO ${pin} is open already.`);
    this.#owners.set(pin, compartment);
    try {
      await this.#hardware.call('gpioOpen', pin, direction, initial);
    } catch (error) {
      this.#owners.delete(pin);
      throw new KernelError('NoSuchDevice', `This chip has no GPIO ${pin} to open.`, { cause: error });
    }
    compartment.pins.add(pin);
    if (compartment.isEnded) {
      // What it held was released while this pin opened: nobody else would let go of it.
      await this.close(compartment, pin);
      throw new KernelError('NotOpen', `The app was ended before GPIO ${pin} was open.`);
    }
    return null;
  }

  async read(compartment: Compartment, pin: number): Promise<0 | 1> {
    this.#require(compartment, pin);
    return (await this.#hardware.call('gpioRead', pin)) === 1 ? 1 : 0;
  }

  async write(compartment: Compartment, pin: number, level: 0 | 1): Promise<null> {
    this.#require(compartment, pin);
    await this.#hardware.call('gpioWrite', pin, level);
    return null;
  }

  async close(compartment: Compartment, pin: number): Promise<null> {
    this.#require(compartment, pin);
    compartment.pins.delete(pin);
    await this.#hardware.call('gpioClose', pin);
    this.#owners.delete(pin);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  async release(compartment: Compartment): Promise<void> {
    for (const pin of compartment.pins) await this.close(compartment, pin);
  }

  #require(compartment: Compartment, pin: number): void {
    if (!compartment.pins.has(pin)) throw new KernelError('NotOpen', `GPIO ${pin} is not open.`);
  }
}

import { GPIO_REGISTERS, gpioPlace, registerAddress } from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';
import { numberOf, operation, type BusOperation, type DriverBus } from './bus.ts';
import type { Ownership } from './ownership.ts';

/** How a pin is used (`GPIO_OutputMode`, or as an input). */
export const PIN_MODES = ['input', 'output', 'openDrain', 'openSource'] as const;
export type PinMode = (typeof PIN_MODES)[number];

interface Place {
  readonly base: number;
  readonly din: number;
  readonly bit: number;
}

function placeOf(pin: number): Place {
  const place = gpioPlace(pin);
  if (place === null) throw new KernelError('NoSuchDevice', `This chip has no GPIO ${pin}.`);
  const { region, offset, din } = place.block;
  const base = registerAddress(region, offset);
  return { base, din: base + din, bit: place.bit };
}

const nameOf = (pin: number): string => `GPIO ${pin}`;

/** The pins. */
export class GpioDriver {
  readonly #bus: DriverBus;
  readonly #ownership: Ownership;
  readonly #modes = new Map<number, PinMode>();

  constructor(bus: DriverBus, ownership: Ownership) {
    this.#bus = bus;
    this.#ownership = ownership;
  }

  async open(compartment: Compartment, pin: number, mode: PinMode, initial: 0 | 1): Promise<null> {
    const isNamed = compartment.application.capabilities.gpio.includes(pin);
    await this.#ownership.open(
      compartment,
      { name: nameOf(pin), isNamed, field: 'Gpio' },
      async () => {
        await this.#bus.run(setUp(placeOf(pin), mode, initial));
        this.#modes.set(pin, mode);
      },
      async () => {
        this.#modes.delete(pin);
        await this.#bus.run(setUp(placeOf(pin), 'input', 0));
      },
    );
    return null;
  }

  async read(compartment: Compartment, pin: number): Promise<0 | 1> {
    this.#ownership.require(compartment, nameOf(pin));
    const { din, bit } = placeOf(pin);
    const [levels] = await this.#bus.run([operation.read(din)]);
    return (numberOf(levels) & bit) === 0 ? 0 : 1;
  }

  /** Has no effect on an input. */
  async write(compartment: Compartment, pin: number, level: 0 | 1): Promise<null> {
    this.#ownership.require(compartment, nameOf(pin));
    const mode = this.#modes.get(pin) ?? 'input';
    if (mode !== 'input') await this.#bus.run(drive(placeOf(pin), mode, level));
    return null;
  }

  close(compartment: Compartment, pin: number): Promise<null> {
    return this.#ownership.close(compartment, nameOf(pin));
  }
}

const put = ({ base, bit }: Place, register: keyof typeof GPIO_REGISTERS): BusOperation =>
  operation.write(base + GPIO_REGISTERS[register], bit);

/** Open drain drives 0 only, open source 1 only; the other level is the pull resistor's. */
function drive(place: Place, mode: Exclude<PinMode, 'input'>, level: 0 | 1): readonly BusOperation[] {
  switch (mode) {
    case 'output':
      return [put(place, level === 1 ? 'DOUT_SET' : 'DOUT_CLR')];
    case 'openDrain':
      return [put(place, level === 1 ? 'OE_CLR' : 'OE_SET')];
    case 'openSource':
      return [put(place, level === 1 ? 'OE_SET' : 'OE_CLR')];
    default:
      return mode satisfies never;
  }
}

/** The level before the output is enabled, so that the pin never shows another one. */
function setUp(place: Place, mode: PinMode, level: 0 | 1): readonly BusOperation[] {
  const still = [put(place, 'PU_CLR'), put(place, 'PD_CLR')];
  switch (mode) {
    case 'input':
      return [put(place, 'OE_CLR'), ...still];
    case 'output':
      return [...still, ...drive(place, mode, level), put(place, 'OE_SET')];
    case 'openDrain':
      return [put(place, 'PU_SET'), put(place, 'DOUT_CLR'), ...drive(place, mode, level)];
    case 'openSource':
      return [put(place, 'PD_SET'), put(place, 'DOUT_SET'), ...drive(place, mode, level)];
    default:
      return mode satisfies never;
  }
}

import {
  ADC_CHANNELS,
  ADC_REGISTERS,
  PWM_BITS,
  PWM_CHANNELS,
  PWM_CHANNEL_STRIDE,
  PWM_CLOCKS,
  PWM_OFFSET,
  PWM_REGIONS,
  PWM_REGISTERS,
  registerAddress,
} from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';
import { numberOf, operation, type BusOperation, type DriverBus } from './bus.ts';
import type { Ownership } from './ownership.ts';

const ADC_NAME = 'ADC-CONTROLLER-0';
/** Ms of one conversion, at most. */
const CONVERSION_TIME = 100;

/** The converter. */
export class AdcDriver {
  readonly #bus: DriverBus;
  readonly #ownership: Ownership;

  constructor(bus: DriverBus, ownership: Ownership) {
    this.#bus = bus;
    this.#ownership = ownership;
  }

  async open(compartment: Compartment, controller: number): Promise<null> {
    if (controller !== 0) throw new KernelError('NoSuchDevice', `This chip has no ADC ${controller}.`);
    const isNamed = compartment.application.capabilities.adc.includes(ADC_NAME);
    await this.#ownership.open(
      compartment,
      { name: ADC_NAME, isNamed, field: 'Adc' },
      async () => void (await this.#bus.run([operation.write(adc('GLOBAL'), 1)])),
      async () => void (await this.#bus.run([operation.write(adc('GLOBAL'), 0)])),
    );
    return null;
  }

  /** One sample of 12 bits; `reference` is an index of `ADC_REFERENCES`. */
  async sample(compartment: Compartment, channel: number, reference: number): Promise<number> {
    this.#ownership.require(compartment, ADC_NAME);
    if (channel >= ADC_CHANNELS) throw new KernelError('NoSuchDevice', `The ADC has no channel ${channel}.`);
    const results = await this.#bus.run([
      operation.write(adc('REFERENCE'), reference),
      operation.write(adc('CTL0'), ((1 << channel) << 16) | 1),
      operation.wait({ address: adc('LSR'), mask: 1, value: 1 }, CONVERSION_TIME),
      operation.read(adc('FIFO')),
    ]);
    return (numberOf(results[3]) >>> 4) & 0xfff;
  }

  close(compartment: Compartment): Promise<null> {
    return this.#ownership.close(compartment, ADC_NAME);
  }
}

function adc(name: keyof typeof ADC_REGISTERS): number {
  return registerAddress('adc', ADC_REGISTERS[name]);
}

/** `PwmState`, in nanoseconds. */
export interface PwmState {
  readonly period: number;
  readonly duty: number;
  readonly isInverted: boolean;
  readonly isEnabled: boolean;
}
const OFF: PwmState = { period: 1, duty: 0, isInverted: false, isEnabled: false };
const MOST_TICKS = 0xffff;

/** The PWM controllers. Its four channels share a clock: the fastest at which every wave of the controller fits. */
export class PwmDriver {
  readonly #bus: DriverBus;
  readonly #ownership: Ownership;
  readonly #states = new Map<number, PwmState[]>();

  constructor(bus: DriverBus, ownership: Ownership) {
    this.#bus = bus;
    this.#ownership = ownership;
  }

  async open(compartment: Compartment, controller: number): Promise<null> {
    const name = nameOf(controller);
    const isNamed = compartment.application.capabilities.pwm.includes(name);
    const states = Array.from({ length: PWM_CHANNELS }, () => OFF);
    await this.#ownership.open(
      compartment,
      { name, isNamed, field: 'Pwm' },
      async () => {
        this.#states.set(controller, states);
        await this.#bus.run(program(controller, states, 0));
      },
      async () => {
        this.#states.delete(controller);
        await this.#bus.run(
          program(
            controller,
            states.map(() => OFF),
            0,
          ),
        );
      },
    );
    return null;
  }

  /** Puts a wave on a channel at once. Refuses with `BadState` one that no clock can make. */
  async apply(compartment: Compartment, controller: number, channel: number, state: PwmState): Promise<null> {
    this.#ownership.require(compartment, nameOf(controller));
    if (channel >= PWM_CHANNELS)
      throw new KernelError('NoSuchDevice', `${nameOf(controller)} has no channel ${channel}.`);
    const old = this.#states.get(controller) ?? [];
    const states = old.map((other, index) => (index === channel ? state : other));
    const clock = clockFor(states);
    if (clock === null)
      throw new KernelError('BadState', 'No clock of the controller makes a wave of this period.');
    this.#states.set(controller, states);
    await this.#bus.run(program(controller, states, clock));
    return null;
  }

  close(compartment: Compartment, controller: number): Promise<null> {
    return this.#ownership.close(compartment, nameOf(controller));
  }
}

function nameOf(controller: number): string {
  if (PWM_REGIONS[controller] === undefined)
    throw new KernelError('NoSuchDevice', `This chip has no PWM controller ${controller}.`);
  return `PWM-CONTROLLER-${controller}`;
}

const ticks = (nanoseconds: number, hertz: number): number => Math.round((nanoseconds * hertz) / 1e9);

/** The index of the fastest clock at which all running waves fit; null: none. */
function clockFor(states: readonly PwmState[]): number | null {
  const running = states.filter(({ isEnabled }) => isEnabled);
  for (let clock = PWM_CLOCKS.length - 1; clock >= 0; clock--) {
    const hertz = PWM_CLOCKS[clock] ?? 0;
    const fits = ({ period, duty }: PwmState): boolean =>
      ticks(duty, hertz) <= MOST_TICKS &&
      ticks(period - duty, hertz) <= MOST_TICKS &&
      ticks(period, hertz) > 0;
    if (running.every(fits)) return clock;
  }
  return null;
}

/** All four channels anew: a new clock changes what the numbers of each mean. */
function program(controller: number, states: readonly PwmState[], clock: number): readonly BusOperation[] {
  const region = PWM_REGIONS[controller];
  if (region === undefined)
    throw new KernelError('NoSuchDevice', `This chip has no PWM controller ${controller}.`);
  const register = (name: keyof typeof PWM_REGISTERS, channel = 0): number =>
    registerAddress(region, PWM_OFFSET + PWM_REGISTERS[name] + channel * PWM_CHANNEL_STRIDE);
  const hertz = PWM_CLOCKS[clock] ?? PWM_CLOCKS[0];
  return [
    operation.write(register('GLO_CTRL'), 0xe400 | (clock << 1)),
    ...states.flatMap(({ period, duty, isInverted, isEnabled }, channel) => {
      const on = ticks(duty, hertz);
      const off = ticks(period, hertz) - on;
      const running = PWM_BITS.CLOCK_ENABLE | PWM_BITS.REPLAY | (isInverted ? PWM_BITS.POLARITY : 0);
      return [
        operation.write(register('PARAM_S0', channel), isEnabled ? (off << 16) | on : 0),
        operation.write(register('CTRL', channel), PWM_BITS.KICK | (isEnabled ? running : 0)),
      ];
    }),
  ];
}

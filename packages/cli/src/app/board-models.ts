import type { VirtualDevice } from '@sevenfold/device';
import type { PartModel, UartDevice } from '@sevenfold/silicon';
import type { HardwareDefinition } from '@sevenfold/formats';
import { CliError } from '../errors.ts';

/** A change of an LED, with the device's monotonic time in ms. */
export interface LedChange {
  readonly isLit: boolean;
  readonly time: number;
}

/** An LED between a supply and a pin: lit while the pin is low, as on the reference board. */
export interface Led {
  readonly isLit: boolean;
  /** Since the board was powered. */
  readonly changes: readonly LedChange[];
}

/** A push button that draws its pin low; it is high while nobody presses. */
export interface Button {
  press(): void;
  release(): void;
}

/** A bare pin, as a meter and a signal generator on it. */
export interface Pin {
  readonly level: 0 | 1;
  drive(level: 0 | 1): void;
}

/** The other end of a UART's wires. */
export interface UartPeer {
  /** What the app has sent, as text (Latin-1). */
  readonly received: string;
  /** Sends to the app. */
  send(text: string): void;
}

/** Listens where the app sends, in place of what the board has there. */
class UartTerminal implements UartDevice, UartPeer {
  readonly #arrive: (byte: number) => void;
  received = '';

  constructor(arrive: (byte: number) => void) {
    this.#arrive = arrive;
  }

  receive(byte: number): void {
    this.received += String.fromCharCode(byte);
  }

  send(text: string): void {
    for (const byte of Buffer.from(text, 'latin1')) this.#arrive(byte);
  }
}

/** What is soldered to a virtual board, by the names of a hardware definition. */
export class BoardModels {
  readonly #device: VirtualDevice;
  readonly #hardware: HardwareDefinition;
  readonly #changes = new Map<number, LedChange[]>();

  constructor(device: VirtualDevice, hardware: HardwareDefinition) {
    this.#device = device;
    this.#hardware = hardware;
    // Every GPIO from the start: what happened before somebody asks counts as well.
    for (const pin of new Set(this.#gpios().map(([, number]) => number))) {
      const changes: LedChange[] = [];
      this.#changes.set(pin, changes);
      device.onPin(pin, (level, time) => {
        if ((changes.at(-1)?.isLit ?? false) !== (level === 0)) changes.push({ isLit: level === 0, time });
      });
    }
    for (const [name, pin] of this.#gpios()) if (name.includes('BUTTON')) device.drivePin(pin, 1);
  }

  /** Names of GPIOs of the definition, each with its pin. */
  #gpios(): readonly (readonly [string, number])[] {
    return [...this.#hardware.peripherals.values()].flatMap(({ name, type, appManifestValue }) =>
      type === 'Gpio' && typeof appManifestValue === 'number' ? [[name, appManifestValue] as const] : [],
    );
  }

  /** The pin of a name of the hardware definition, or the number itself. Throws `NotFound`. */
  #pinOf(name: string | number): number {
    if (typeof name === 'number') return name;
    const found = this.#gpios().find(([known]) => known === name);
    if (found !== undefined) return found[1];
    throw new CliError('NotFound', `The hardware definition has no GPIO ${name}.`, { field: name });
  }

  led(name: string | number): Led {
    const pin = this.#pinOf(name);
    const changes = this.#changes.get(pin) ?? [];
    return {
      get isLit() {
        return changes.at(-1)?.isLit ?? false;
      },
      changes,
    };
  }

  button(name: string | number): Button {
    const pin = this.#pinOf(name);
    return {
      press: () => this.#device.drivePin(pin, 0),
      release: () => this.#device.drivePin(pin, 1),
    };
  }

  /** A part of the virtual board by its name there (docs/silicon.md): a sensor, a memory, a knob. Throws `NotFound`. */
  part(name: string): PartModel {
    const part = this.#device.parts.get(name);
    if (part === undefined)
      throw new CliError('NotFound', `The virtual board has no part ${name}.`, { field: name });
    return part;
  }

  /** The other end of ISU 0 to 4: from now on what the board has there hears nothing. */
  uart(isu: number): UartPeer {
    const uart = this.#device.chip.isus[isu]?.uart;
    if (uart === undefined) throw new CliError('NotFound', `The chip has no ISU ${isu}.`, { field: 'isu' });
    const peer = new UartTerminal((byte) => uart.arrive(byte));
    uart.attach(peer);
    return peer;
  }

  pin(name: string | number): Pin {
    const [device, pin] = [this.#device, this.#pinOf(name)];
    return {
      get level() {
        return device.pinLevel(pin);
      },
      drive: (level) => device.drivePin(pin, level),
    };
  }
}

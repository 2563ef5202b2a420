import type { VirtualDevice } from '@sevenfold/device';
import type { HardwareDefinition } from '@sevenfold/formats';
import { parseAppImage, parseImagePackage } from '@sevenfold/formats';
import type { Output } from '../narrator.ts';
import { onCoreLine } from './core-lines.ts';
import { printable } from '../printable.ts';

/** A GPIO that the app may use, by the first name that its hardware definition has for it. */
interface ShownPin {
  readonly name: string;
  readonly pin: number;
  readonly isButton: boolean;
}

const PRESS_MILLISECONDS = 150;
const NEW_LINE = 10;
const LONGEST_LINE = 200;

/** UARTs in an image's manifest, by ISU. */
export function shownUarts(imagePackage: Uint8Array): readonly number[] {
  const { manifest } = parseAppImage(parseImagePackage(imagePackage).payload);
  return manifest.capabilities.uart.map((name) => Number(name.slice('ISU'.length)));
}

/** Names and pins of the GPIOs in an image's manifest; names of the app itself come before those of boards. */
export function shownPins(imagePackage: Uint8Array, hardware: HardwareDefinition): readonly ShownPin[] {
  const { manifest } = parseAppImage(parseImagePackage(imagePackage).payload);
  const names = [...hardware.peripherals.values()].toReversed();
  return manifest.capabilities.gpio.map((pin) => {
    const own = names.filter(({ type, appManifestValue }) => type === 'Gpio' && appManifestValue === pin);
    const name = own.at(0)?.name ?? `GPIO${pin}`;
    return { name, pin, isButton: own.some((peripheral) => peripheral.name.includes('BUTTON')) };
  });
}

/**
 * The board on a terminal: lines of the app scroll above one line with its LEDs; on a pipe every change is a line.
 * Keys 1 to 9 press the buttons in the order of the manifest.
 */
export class TerminalBoard {
  readonly #output: Output;
  readonly #device: VirtualDevice;
  readonly #pins: readonly ShownPin[];
  #shown = '';

  constructor(
    output: Output,
    device: VirtualDevice,
    pins: readonly ShownPin[],
    uarts: readonly number[] = [],
  ) {
    this.#output = output;
    this.#device = device;
    this.#pins = pins;
    for (const isu of uarts) this.#listen(isu);
    for (const { name, pin, isButton } of pins) {
      if (isButton) device.drivePin(pin, 1);
      device.onPin(pin, (level) => {
        if (isButton) return;
        if (output.isTTY === true) this.#draw();
        else output.write(`${name} ${level === 0 ? 'on' : 'off'}\n`);
      });
    }
  }

  /** Shows what the app sends, line by line; what the board has there hears it as before. */
  #listen(isu: number): void {
    const uart = this.#device.chip.isus[isu]?.uart;
    const other = uart?.attached;
    let line = '';
    uart?.attach({
      receive: (byte, send) => {
        other?.receive(byte, send);
        if (byte !== NEW_LINE && line.length < LONGEST_LINE) line += String.fromCharCode(byte);
        else {
          this.line(`ISU${isu}: ${line}`);
          line = '';
        }
      },
    });
  }

  /** Shows what real-time cores say on their debug UARTs: that is how such an app logs. */
  listenToCores(): void {
    onCoreLine(this.#device.chip.realTimeCores, (line) => this.line(line));
  }

  /** A line of the app. */
  line(text: string): void {
    this.#erase();
    this.#output.write(`${printable(text)}\n`);
    this.#draw();
  }

  /** Presses the button of a key; false: no button has it. */
  key(digit: number): boolean {
    const button = this.#pins.filter(({ isButton }) => isButton)[digit - 1];
    if (button === undefined) return false;
    this.#device.drivePin(button.pin, 0);
    setTimeout(() => this.#device.drivePin(button.pin, 1), PRESS_MILLISECONDS).unref();
    return true;
  }

  /** Takes the last line off the screen. */
  end(): void {
    this.#erase();
  }

  #erase(): void {
    if (this.#shown !== '') this.#output.write('\r\u001B[2K');
    this.#shown = '';
  }

  #draw(): void {
    if (this.#output.isTTY !== true || this.#pins.length === 0) return;
    let buttons = 0;
    const text = this.#pins
      .map(({ name, pin, isButton }) => {
        if (isButton) return `[${++buttons}] ${name}`;
        return `${this.#device.pinLevel(pin) === 0 ? '●' : '○'} ${name}`;
      })
      .join('  ');
    this.#erase();
    this.#output.write(text);
    this.#shown = text;
  }
}

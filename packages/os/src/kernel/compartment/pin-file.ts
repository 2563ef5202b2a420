import type { Port } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, OpenFile } from './open-file.ts';

/** `GPIO_OutputMode`: push-pull, open drain, open source. */
const OUTPUT_MODES = ['output', 'openDrain', 'openSource'] as const;

/** A pin. */
export class PinFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  readonly #pin: number;
  readonly #isOutput: boolean;

  constructor(kernel: Port, pin: number, isOutput: boolean) {
    super();
    this.#kernel = kernel;
    this.#pin = pin;
    this.#isOutput = isOutput;
  }

  static async open(
    kernel: Port,
    pin: number,
    isOutput: boolean,
    mode: number,
    value: number,
  ): Promise<PinFile> {
    const outputMode = OUTPUT_MODES[mode];
    if (outputMode === undefined || (value !== 0 && value !== 1)) throw new CallRefused('EINVAL');
    await kernel.call('gpioOpen', pin, isOutput ? outputMode : 'input', value);
    return new PinFile(kernel, pin, isOutput);
  }

  async level(): Promise<number> {
    return (await this.#kernel.call('gpioRead', this.#pin)) === 1 ? 1 : 0;
  }

  /** Has no effect on an input (azure-sphere.md §4.4). */
  async setLevel(value: number): Promise<void> {
    if (value !== 0 && value !== 1) throw new CallRefused('EINVAL');
    if (this.#isOutput) await this.#kernel.call('gpioWrite', this.#pin, value);
  }

  override async close(): Promise<void> {
    await this.#kernel.call('gpioClose', this.#pin);
  }
}

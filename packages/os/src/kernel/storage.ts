import { isBytes, type Clock, type Port } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';
import { WriteBudget } from './write-budget.ts';

/** The one mutable file of each app: bound to its component id, kept in flash by the Security Monitor. */
export class MutableStorage {
  readonly #monitor: Port;

  readonly #budget: WriteBudget;

  constructor(monitor: Port, clock: Clock) {
    this.#monitor = monitor;
    this.#budget = new WriteBudget(clock);
  }

  /** The content; the file is made if there is none. */
  async read(compartment: Compartment): Promise<Uint8Array> {
    const { componentId } = this.#require(compartment);
    const content = await this.#ask(() => this.#monitor.call('mutableRead', componentId));
    if (isBytes(content)) return content;
    const empty = new Uint8Array(0);
    await this.#store(compartment, empty);
    return empty;
  }

  async write(compartment: Compartment, content: Uint8Array): Promise<null> {
    const { options } = this.#require(compartment);
    if (content.length > options.mutableQuota) {
      throw new KernelError('QuotaExceeded', 'The mutable file would be larger than the manifest’s SizeKB.', {
        field: 'Capabilities.MutableStorage.SizeKB',
        rule: `at most ${options.mutableQuota} bytes`,
      });
    }
    await this.#store(compartment, content);
    return null;
  }

  async #store(compartment: Compartment, content: Uint8Array): Promise<void> {
    const { componentId } = compartment.application;
    await this.#budget.spend(componentId, content.length);
    if (compartment.isEnded) throw new KernelError('StorageFailed', 'The app was ended before its turn.');
    await this.#ask(() => this.#monitor.call('mutableWrite', componentId, content));
  }

  async delete(compartment: Compartment): Promise<null> {
    const { componentId } = this.#require(compartment);
    const existed = await this.#ask(() => this.#monitor.call('mutableWrite', componentId, null));
    if (existed !== true) throw new KernelError('NoSuchFile', 'There is no mutable file.');
    return null;
  }

  #require(compartment: Compartment): Compartment['application'] {
    if (compartment.application.options.mutableQuota === 0) {
      throw new KernelError('AccessDenied', 'The manifest does not ask for mutable storage.', {
        field: 'Capabilities.MutableStorage',
      });
    }
    return compartment.application;
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw new KernelError('StorageFailed', 'The flash refused.', { cause: error });
    }
  }
}

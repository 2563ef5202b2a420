import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';

/** A peripheral that somebody wants to open. */
export interface Wanted {
  /** Its name: `GPIO 8`, `ISU0 (UART)`. */
  readonly name: string;
  /** Whether the app's manifest names it, and in which field. */
  readonly isNamed: boolean;
  readonly field: string;
  /** What else would be the same hardware. Null: nothing; else all of one group exclude each other by kind. */
  readonly unit?: { readonly name: string; readonly use: string };
}

interface Holding {
  readonly compartment: Compartment;
  readonly wanted: Wanted;
  readonly close: () => Promise<void>;
  /** While it is set up nobody can use or close it: whoever opens it sees to it at the end. */
  isOpening: boolean;
}

/** Who holds which peripheral: one compartment at a time, and only one whose manifest names it. */
export class Ownership {
  readonly #holdings = new Map<string, Holding>();

  /** Takes a peripheral and sets it up. Refuses with `AccessDenied`, `DeviceBusy` or `NoSuchDevice`. */
  async open(
    compartment: Compartment,
    wanted: Wanted,
    setUp: () => Promise<void>,
    close: () => Promise<void>,
  ): Promise<void> {
    const { name, isNamed, field, unit } = wanted;
    if (!isNamed) {
      throw new KernelError('AccessDenied', `The manifest does not name ${name}.`, {
        field: `Capabilities.${field}`,
      });
    }
    const isTaken = [...this.#holdings.values()].some(
      (other) =>
        other.wanted.name === name ||
        (unit !== undefined && other.wanted.unit?.name === unit.name && other.wanted.unit.use !== unit.use),
    );
    if (isTaken) throw new KernelError('DeviceBusy', `${name} is open already.`);
    const holding: Holding = { compartment, wanted, close, isOpening: true };
    this.#holdings.set(name, holding);
    try {
      await setUp();
      holding.isOpening = false;
    } catch (error) {
      this.#holdings.delete(name);
      throw new KernelError('NoSuchDevice', `${name} cannot be opened on this core.`, { cause: error });
    }
    if (compartment.isEnded) {
      // What it held was released while this opened: nobody else would let go of it.
      await this.close(compartment, name);
      throw new KernelError('NotOpen', `The app was ended before ${name} was open.`);
    }
  }

  /** Throws `NotOpen` unless the compartment holds it. */
  require(compartment: Compartment, name: string): void {
    const holding = this.#holdings.get(name);
    if (holding?.compartment !== compartment || holding.isOpening)
      throw new KernelError('NotOpen', `${name} is not open.`);
  }

  async close(compartment: Compartment, name: string): Promise<null> {
    this.require(compartment, name);
    const holding = this.#holdings.get(name);
    // Free only when the hardware is: the next owner finds it at rest.
    await holding?.close();
    if (this.#holdings.get(name) === holding) this.#holdings.delete(name);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  async release(compartment: Compartment): Promise<void> {
    for (const [name, holding] of this.#holdings) {
      if (holding.compartment === compartment && !holding.isOpening) await this.close(compartment, name);
    }
  }
}

import { SiliconError } from './errors.ts';
import { seededBytes, type SeededBytes } from './seeded.ts';

/** What goes wrong at one operation on flash or fuses. */
export interface Fault {
  /** The operation, counted from 0 since the plan was laid. */
  readonly at: number;
  /**
   * `clean`: power goes just before it. `torn`: power goes in the midst of it, so that an unforeseeable part of
   * the bits has changed. `rot`: it succeeds, and one bit somewhere in the same sector flips.
   */
  readonly kind: 'clean' | 'torn' | 'rot';
  /** Where the torn edge or the rotten bit lies. */
  readonly seed: number;
}

/** How an operation goes: as it should, or with a fault and the random bytes that shape it. */
export type OperationCourse =
  | { readonly kind: 'whole' }
  | { readonly kind: 'torn' | 'rot'; readonly random: SeededBytes };

/**
 * The chip's power, through which every programming, erasing and burning goes: it counts these operations and
 * fails them according to a fault plan. After a cut nothing works until `on()`.
 */
export class PowerSupply {
  #isOn = true;
  #operations = 0;
  #plan: readonly Fault[] = [];
  readonly #onCut = new Set<() => void>();

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Operations begun since the last `layPlan` (or since the chip was opened). */
  get operations(): number {
    return this.#operations;
  }

  /** Lays a fault plan and counts operations from 0 again. An empty plan ends all faults. */
  layPlan(faults: readonly Fault[]): void {
    this.#plan = [...faults];
    this.#operations = 0;
  }

  on(): void {
    this.#isOn = true;
  }

  off(): void {
    this.#isOn = false;
  }

  /** Told when a fault plan cuts the power; returns the function that ends it. */
  onCut(listener: () => void): () => void {
    this.#onCut.add(listener);
    return () => this.#onCut.delete(listener);
  }

  /** Throws `PowerCut` while the power is off. */
  check(): void {
    if (!this.#isOn) throw new SiliconError('PowerCut', 'The chip has no power.');
  }

  /** Begins an operation: throws `PowerCut` on a clean cut; after a torn one the caller calls `cut()`. */
  begin(): OperationCourse {
    this.check();
    const operation = this.#operations++;
    const fault = this.#plan.find(({ at }) => at === operation);
    if (fault === undefined) return { kind: 'whole' };
    if (fault.kind === 'clean') return this.cut();
    return { kind: fault.kind, random: seededBytes(fault.seed) };
  }

  /** Takes the power away in the midst of an operation. Throws `PowerCut`. */
  cut(): never {
    this.#isOn = false;
    for (const listener of this.#onCut) listener();
    throw new SiliconError('PowerCut', `Power was cut at operation ${this.#operations - 1}.`);
  }
}

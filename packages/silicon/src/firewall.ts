import {
  BUS_MASTERS,
  BUS_REGIONS,
  BUS_REGION_NAMES,
  RESET_RULES,
  type BusAccess,
  type BusMaster,
  type BusRegion,
  type FirewallRule,
} from '@sevenfold/formats';
import { SiliconError } from './errors.ts';

/** An access that the firewall stopped. */
export interface BusViolation {
  readonly master: BusMaster;
  readonly region: BusRegion | null;
  readonly address: number;
  readonly access: BusAccess;
}
const MOST_VIOLATIONS = 256;

const PAGE_BITS = 12;
const ACCESS_BIT = { read: 1, write: 2, execute: 4 } as const satisfies Record<BusAccess, number>;
/** Region of every page of 4 KiB, so that a real-time core's loads and stores are judged by one look-up. */
const REGION_OF_PAGE = new Map<number, number>(
  BUS_REGION_NAMES.flatMap((name, index) => {
    const { offset, length } = BUS_REGIONS[name];
    const first = offset >>> PAGE_BITS;
    return Array.from({ length: length >>> PAGE_BITS }, (_, page): [number, number] => [first + page, index]);
  }),
);

/** The region that holds an address; null: nothing answers there. */
export function regionAt(address: number): BusRegion | null {
  const index = REGION_OF_PAGE.get(Math.floor(address / 2 ** PAGE_BITS));
  return index === undefined ? null : (BUS_REGION_NAMES[index] ?? null);
}

/** One byte a master and region: the accesses that some rule lets through. */
function grantsOf(rules: readonly FirewallRule[]): Uint8Array {
  const grants = new Uint8Array(BUS_MASTERS.length * BUS_REGION_NAMES.length);
  for (const { master, region, read, write, execute } of rules) {
    const at = BUS_MASTERS.indexOf(master) * BUS_REGION_NAMES.length + BUS_REGION_NAMES.indexOf(region);
    grants[at] =
      (grants[at] ?? 0) |
      (read ? ACCESS_BIT.read : 0) |
      (write ? ACCESS_BIT.write : 0) |
      (execute ? ACCESS_BIT.execute : 0);
  }
  return grants;
}

/**
 * Masters × regions × read, write and execute: default deny, sticky. Once locked, nobody changes a rule before reset,
 * not even the Security Monitor. A stopped access is a `BusFault` to its master and a recorded event.
 */
export class Firewall {
  #rules: readonly FirewallRule[] = RESET_RULES;
  #grants = grantsOf(RESET_RULES);
  #isLocked = false;
  #violationCount = 0;
  readonly #violations: BusViolation[] = [];

  get isLocked(): boolean {
    return this.#isLocked;
  }

  get rules(): readonly FirewallRule[] {
    return this.#rules;
  }

  /** The newest 256 stopped accesses since reset. */
  get violations(): readonly BusViolation[] {
    return this.#violations;
  }

  /** All stopped accesses since reset, also those that `violations` has forgotten. */
  get violationCount(): number {
    return this.#violationCount;
  }

  reset(): void {
    this.#isLocked = false;
    this.configure(RESET_RULES);
    this.#violations.length = 0;
    this.#violationCount = 0;
  }

  /** Replaces all rules. Throws `FirewallLocked`. */
  configure(rules: readonly FirewallRule[]): void {
    if (this.#isLocked) {
      throw new SiliconError('FirewallLocked', 'The firewall is locked until reset.');
    }
    this.#rules = rules.map((rule) => ({ ...rule }));
    this.#grants = grantsOf(this.#rules);
  }

  lock(): void {
    this.#isLocked = true;
  }

  /** Whether a rule lets `master` touch `region` so. */
  allows(master: BusMaster, access: BusAccess, region: BusRegion): boolean {
    const at = BUS_MASTERS.indexOf(master) * BUS_REGION_NAMES.length + BUS_REGION_NAMES.indexOf(region);
    return ((this.#grants[at] ?? 0) & ACCESS_BIT[access]) !== 0;
  }

  /** Throws `BusFault` unless a rule lets `master` touch every byte from `address` on. */
  check(master: BusMaster, access: BusAccess, address: number, length: number): void {
    const last = address + Math.max(1, length) - 1;
    for (let at = address; at <= last;) {
      const region = regionAt(at);
      if (region === null || !this.allows(master, access, region)) {
        if (this.#violations.length === MOST_VIOLATIONS) this.#violations.shift();
        this.#violations.push({ master, region, address: at, access });
        this.#violationCount += 1;
        throw new SiliconError(
          'BusFault',
          `Bus fault: ${master} may not ${access} ${region ?? `address ${at}`}.`,
          { field: region ?? undefined },
        );
      }
      at = BUS_REGIONS[region].offset + BUS_REGIONS[region].length;
    }
  }
}

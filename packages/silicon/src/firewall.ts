import {
  ASSIGNABLE_REGIONS,
  BUS_MASTERS,
  BUS_REGIONS,
  BUS_REGION_NAMES,
  RESET_RULES,
  coreRules,
  type BusAccess,
  type BusMaster,
  type BusRegion,
  type FirewallRule,
  type RealTimeMaster,
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
  /** Which real-time core a region was given to. It is nobody else's until reset, whether that core may use it now or not. */
  readonly #owners = new Map<BusRegion, RealTimeMaster>();

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
    this.#owners.clear();
    this.configure(RESET_RULES);
    this.#violations.length = 0;
    this.#violationCount = 0;
  }

  /** Replaces all rules. Throws `FirewallLocked`. */
  configure(rules: readonly FirewallRule[]): void {
    if (this.#isLocked) {
      throw new SiliconError('FirewallLocked', 'The firewall is locked until reset.');
    }
    this.#set(rules.map((rule) => ({ ...rule })));
  }

  #set(rules: readonly FirewallRule[]): void {
    this.#rules = rules;
    this.#grants = grantsOf(rules);
  }

  lock(): void {
    this.#isLocked = true;
  }

  /** The real-time core that a region was given to since reset. */
  ownerOf(region: BusRegion): RealTimeMaster | null {
    return this.#owners.get(region) ?? null;
  }

  /** Every region that was given to a real-time core since reset. */
  regionsOf(master: RealTimeMaster): readonly BusRegion[] {
    return [...this.#owners].filter(([, owner]) => owner === master).map(([region]) => region);
  }

  /**
   * Lets a real-time core have exactly these regions, and locks the firewall. That is the one thing that a lock does
   * not end, as it only ever takes away: from everybody else for good, from the core what is not named again. Throws
   * `FirewallLocked` for a region that the other core was given, `OutOfRange` for one that no core can have.
   */
  assign(master: RealTimeMaster, regions: readonly BusRegion[]): void {
    for (const region of regions) {
      if (!ASSIGNABLE_REGIONS.includes(region))
        throw new SiliconError('OutOfRange', `${region} cannot be given to a real-time core.`, {
          field: region,
        });
      const owner = this.ownerOf(region);
      if (owner !== null && owner !== master)
        throw new SiliconError('FirewallLocked', `${region} belongs to ${owner} until reset.`, {
          field: region,
        });
    }
    for (const region of regions) this.#owners.set(region, master);
    const kept = this.#rules.filter((rule) => {
      const owner = this.ownerOf(rule.region);
      return rule.master !== master && (owner === null || owner === rule.master);
    });
    this.lock();
    this.#set([...kept, ...coreRules(master, regions)]);
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

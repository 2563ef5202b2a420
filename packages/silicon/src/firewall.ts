import { FLASH_MAP, FLASH_SIZE, type FlashRegion } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';

/** Everything on the bus that can start an access. */
export const MASTERS = ['pluton', 'secure', 'normal', 'realtime0', 'realtime1', 'dma'] as const;
export type Master = (typeof MASTERS)[number];

const firstSystemSlot = FLASH_MAP.system.TrustedKeystore.A.offset;
const applications: FlashRegion = {
  offset: FLASH_MAP.applications[0]?.offset ?? 0,
  length: FLASH_MAP.applications.reduce((sum, slot) => sum + slot.length, 0),
};

/** Where flash begins on the bus. */
export const FLASH_BASE = 0x1000_0000;
const flashRegion = ({ offset, length }: FlashRegion): FlashRegion => ({
  offset: FLASH_BASE + offset,
  length,
});

/** The regions of the bus, by name: first address and length in bytes. The firewall knows no smaller parts. */
export const BUS_REGIONS = {
  fuses: { offset: 0x2000_0000, length: 0x1000 },
  plutonMailbox: { offset: 0x2000_1000, length: 0x1000 },
  firewall: { offset: 0x2000_2000, length: 0x1000 },
  watchdog: { offset: 0x2000_3000, length: 0x1000 },
  bootRecord: flashRegion(FLASH_MAP.bootRecord),
  system: flashRegion({ offset: firstSystemSlot, length: applications.offset - firstSystemSlot }),
  applications: flashRegion(applications),
  records: flashRegion(FLASH_MAP.records),
  mutable: flashRegion({ offset: FLASH_MAP.mutable.offset, length: FLASH_SIZE - FLASH_MAP.mutable.offset }),
  gpio: { offset: 0x3000_0000, length: 0x1000 },
  network: { offset: 0x3001_0000, length: 0x1000 },
} as const satisfies Record<string, FlashRegion>;
export type BusRegion = keyof typeof BUS_REGIONS;
const REGION_NAMES = Object.keys(BUS_REGIONS) as readonly BusRegion[];

/** Lets one master read or write one region. What no rule lets through is denied. */
export interface FirewallRule {
  readonly master: Master;
  readonly region: BusRegion;
  readonly read: boolean;
  readonly write: boolean;
}

const all = (master: Master, regions: readonly BusRegion[]): FirewallRule[] =>
  regions.map((region) => ({ master, region, read: true, write: true }));

/** What holds from reset until the Security Monitor configures: nothing at all for the normal world. */
export const RESET_RULES: readonly FirewallRule[] = [
  ...all('pluton', ['fuses', 'plutonMailbox', 'bootRecord', 'system']),
  ...all(
    'secure',
    REGION_NAMES.filter((region) => region !== 'fuses'),
  ),
];

/** An access that the firewall stopped. */
export interface BusViolation {
  readonly master: Master;
  readonly region: BusRegion | null;
  readonly address: number;
  readonly access: 'read' | 'write';
}
const MOST_VIOLATIONS = 256;

/**
 * Masters × regions, default deny, sticky: once locked, nobody changes a rule before reset, not even the
 * Security Monitor. A stopped access is a `BusFault` to its master and a recorded event.
 */
export class Firewall {
  #rules: readonly FirewallRule[] = RESET_RULES;
  #isLocked = false;
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

  reset(): void {
    this.#rules = RESET_RULES;
    this.#isLocked = false;
    this.#violations.length = 0;
  }

  /** Replaces all rules. Throws `FirewallLocked`. */
  configure(rules: readonly FirewallRule[]): void {
    if (this.#isLocked) {
      throw new SiliconError('FirewallLocked', 'The firewall is locked until reset.');
    }
    this.#rules = rules.map((rule) => ({ ...rule }));
  }

  lock(): void {
    this.#isLocked = true;
  }

  /** Throws `BusFault` unless a rule lets `master` touch every byte from `address` on. */
  check(master: Master, access: 'read' | 'write', address: number, length: number): void {
    const last = address + Math.max(1, length) - 1;
    for (let at = address; at <= last;) {
      const region = regionAt(at);
      const isAllowed =
        region !== null &&
        this.#rules.some((rule) => rule.master === master && rule.region === region && rule[access]);
      if (!isAllowed) {
        if (this.#violations.length === MOST_VIOLATIONS) this.#violations.shift();
        this.#violations.push({ master, region, address: at, access });
        throw new SiliconError(
          'BusFault',
          `Bus fault: ${master} may not ${access} ${region ?? `address ${at}`}.`,
          {
            field: region ?? undefined,
          },
        );
      }
      at = BUS_REGIONS[region].offset + BUS_REGIONS[region].length;
    }
  }
}

function regionAt(address: number): BusRegion | null {
  return (
    REGION_NAMES.find((name) => {
      const { offset, length } = BUS_REGIONS[name];
      return address >= offset && address < offset + length;
    }) ?? null
  );
}

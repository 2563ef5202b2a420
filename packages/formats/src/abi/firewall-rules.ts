import { BUS_REGIONS, BUS_REGION_NAMES, type BusMaster, type BusRegion } from './bus-map.ts';

/** Lets one master touch one region. What no rule lets through is denied. */
export interface FirewallRule {
  readonly master: BusMaster;
  readonly region: BusRegion;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

/** `rules('normal', 'rw', 'rtc', 'adc')`: letters of read, write and execute, then regions. */
const rules = (master: BusMaster, access: string, ...regions: readonly BusRegion[]): FirewallRule[] =>
  regions.map((region) => ({
    master,
    region,
    read: access.includes('r'),
    write: access.includes('w'),
    execute: access.includes('x'),
  }));

const INTER_CORE = ['mailbox0', 'mailbox1', 'intercore0', 'intercore1'] as const;
const PERIPHERALS = BUS_REGION_NAMES.filter((name) => BUS_REGIONS[name].kind === 'peripheral');

/** What holds from reset until the Security Monitor configures: nothing at all for the normal world. */
export const RESET_RULES: readonly FirewallRule[] = [
  ...rules('pluton', 'rwx', 'plutonRam'),
  ...rules('pluton', 'rw', 'fuses', 'plutonMailbox', 'plutonState'),
  ...rules('pluton', 'r', 'bootRecord', 'system'),
  ...rules('secure', 'rwx', 'secureRam'),
  ...rules('secure', 'rw', 'plutonMailbox', 'firewall', 'watchdog', 'power', 'rtc', 'network', 'clocks'),
  ...rules('secure', 'rw', 'bootRecord', 'system', 'applications', 'records', 'mutable'),
  ...rules('secure', 'rw', 'normalRam', ...INTER_CORE, ...PERIPHERALS),
];

/**
 * What holds once the normal world runs. The monitor sets and locks it before it starts the kernel, and is then held
 * by it itself until reset. The normal world reaches its memory and its devices; everything in flash goes through the
 * monitor's calls. Real-time cores reach nothing that no app was given.
 */
export const RUN_RULES: readonly FirewallRule[] = [
  ...rules('pluton', 'rwx', 'plutonRam'),
  ...rules('pluton', 'rw', 'fuses', 'plutonMailbox', 'plutonState'),
  ...rules('secure', 'rwx', 'secureRam'),
  // Writing `firewall` is of no use once it is locked: what holds then is the lock.
  ...rules('secure', 'rw', 'plutonMailbox', 'firewall', 'watchdog', 'power'),
  ...rules('secure', 'rw', 'bootRecord', 'system', 'applications', 'records', 'mutable'),
  ...rules('normal', 'rwx', 'normalRam'),
  // In `power` it can arm what happens at the next restart, which is the monitor's to order.
  ...rules('normal', 'rw', 'power', 'rtc', 'network', 'clocks', ...INTER_CORE, ...PERIPHERALS),
];

/** What every real-time core that may run anything reaches: its own shared memory, and clock gates that mean nothing. */
const CORE_RULES = {
  realtime0: rules('realtime0', 'rw', 'intercore0', 'clocks'),
  realtime1: rules('realtime1', 'rw', 'intercore1', 'clocks'),
} as const;
export type RealTimeMaster = keyof typeof CORE_RULES;
export const REAL_TIME_MASTERS = ['realtime0', 'realtime1'] as const satisfies readonly RealTimeMaster[];

/**
 * Regions that can be given to a real-time core. The pins that only the application core has are none of them.
 */
export const ASSIGNABLE_REGIONS: readonly BusRegion[] = PERIPHERALS.filter((name) => name !== 'hlGpio');

/** The rules of a core to which these regions are assigned: nobody else has them then. */
export const coreRules = (master: RealTimeMaster, regions: readonly BusRegion[]): readonly FirewallRule[] => [
  ...CORE_RULES[master],
  ...rules(master, 'rw', ...regions),
];

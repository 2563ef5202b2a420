import { FLASH_MAP, FLASH_SIZE, type FlashRegion } from './flash-map.ts';

/** Everything on the bus that can start an access. */
export const BUS_MASTERS = ['pluton', 'secure', 'normal', 'realtime0', 'realtime1', 'dma'] as const;
export type BusMaster = (typeof BUS_MASTERS)[number];

/** What a master may want of a region. */
export const BUS_ACCESSES = ['read', 'write', 'execute'] as const;
export type BusAccess = (typeof BUS_ACCESSES)[number];

/** Where flash begins on the bus. */
export const FLASH_BASE = 0x1000_0000;

type RegionKind = 'ram' | 'flash' | 'system' | 'peripheral';

/** A part of the bus that the firewall knows by name: it knows no smaller ones. Whole pages of 4 KiB. */
export interface BusRegionRow {
  readonly kind: RegionKind;
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly what: string;
}

const KIB = 1024;
const PERIPHERAL = 0x1_0000;
const firstSystemSlot = FLASH_MAP.system.TrustedKeystore.A.offset;
const firstApplication = FLASH_MAP.applications.offset;

const flash = ({ offset, length }: FlashRegion, what: string): BusRegionRow => ({
  kind: 'flash',
  offset: FLASH_BASE + offset,
  length,
  what,
});
const row =
  (kind: RegionKind) =>
  (offset: number, length: number, what: string): BusRegionRow => ({ kind, offset, length, what });
const ram = row('ram');
const system = row('system');
const peripheral = row('peripheral');

/**
 * The memory map of the chip. Addresses of shared peripherals are those of real-time-cores.md §1.1–1.2, so that one
 * model serves the kernel's drivers and real-time apps; the blocks that only the application core has are ours.
 */
export const BUS_REGIONS = {
  bootRecord: flash(FLASH_MAP.bootRecord, 'boot records'),
  plutonState: flash(FLASH_MAP.plutonState, 'Pluton’s counters'),
  system: flash({ offset: firstSystemSlot, length: firstApplication - firstSystemSlot }, 'system images'),
  applications: flash(FLASH_MAP.applications, 'app images'),
  records: flash(FLASH_MAP.records, 'failures and events that wait for upload'),
  mutable: flash(
    { offset: FLASH_MAP.mutable.offset, length: FLASH_SIZE - FLASH_MAP.mutable.offset },
    'mutable storage of apps',
  ),
  fuses: system(0x2000_0000, 4 * KIB, 'one-time bits'),
  plutonMailbox: system(0x2000_1000, 4 * KIB, 'the only door of Pluton'),
  firewall: system(0x2000_2000, 4 * KIB, 'the rules themselves'),
  watchdog: system(0x2000_3000, 4 * KIB, 'resets the device unless it is set again in time'),
  power: system(0x2000_4000, 4 * KIB, 'reset, power-down, wake alarm'),
  rtc: system(0x3000_0000, 4 * KIB, 'real-time clock on the battery'),
  network: system(0x3001_0000, 4 * KIB, 'network interfaces'),
  clocks: system(0x3003_0000, 4 * KIB, 'clock gates: every write is taken and means nothing'),
  hlGpio: peripheral(0x3004_0000, 4 * KIB, 'GPIO 24, 25, 49-55, 80'),
  mailbox0: system(0x3101_0000, 4 * KIB, 'mailbox with real-time core 0, and what that core does'),
  mailbox1: system(0x3102_0000, 4 * KIB, 'mailbox with real-time core 1, and what that core does'),
  adc: peripheral(0x3800_0000, PERIPHERAL, 'ADC-CONTROLLER-0, GPIO 41-48'),
  gpio0: peripheral(0x3801_0000, PERIPHERAL, 'GPIO 0-3, PWM-CONTROLLER-0'),
  gpio1: peripheral(0x3802_0000, PERIPHERAL, 'GPIO 4-7, PWM-CONTROLLER-1'),
  gpio2: peripheral(0x3803_0000, PERIPHERAL, 'GPIO 8-11, PWM-CONTROLLER-2'),
  gpio3: peripheral(0x3804_0000, PERIPHERAL, 'GPIO 12-15'),
  gpio4: peripheral(0x3805_0000, PERIPHERAL, 'GPIO 16-19'),
  gpio5: peripheral(0x3806_0000, PERIPHERAL, 'GPIO 20-23'),
  isu0: peripheral(0x3807_0000, PERIPHERAL, 'ISU0 (UART, I2C or SPI), GPIO 26-30'),
  isu1: peripheral(0x3808_0000, PERIPHERAL, 'ISU1 (UART, I2C or SPI), GPIO 31-35'),
  isu2: peripheral(0x3809_0000, PERIPHERAL, 'ISU2 (UART, I2C or SPI), GPIO 36-40'),
  isu3: peripheral(0x380a_0000, PERIPHERAL, 'ISU3 (UART, I2C or SPI), GPIO 66-70'),
  isu4: peripheral(0x380b_0000, PERIPHERAL, 'ISU4 (UART, I2C or SPI), GPIO 71-75'),
  i2s0: peripheral(0x380d_0000, PERIPHERAL, 'I2S0, GPIO 56-60'),
  i2s1: peripheral(0x380e_0000, PERIPHERAL, 'I2S1, GPIO 61-65'),
  i2s0Data: peripheral(0x380f_0000, PERIPHERAL, 'I2S0: samples'),
  i2s1Data: peripheral(0x3810_0000, PERIPHERAL, 'I2S1: samples'),
  plutonRam: ram(0x6000_0000, 128 * KIB, 'Pluton’s own memory'),
  secureRam: ram(0x7000_0000, 1024 * KIB, 'memory of the Security Monitor'),
  normalRam: ram(0x8000_0000, 4096 * KIB, 'memory of kernel, services and apps'),
  intercore0: ram(0x8040_0000, 64 * KIB, 'buffers shared with real-time core 0'),
  intercore1: ram(0x8041_0000, 64 * KIB, 'buffers shared with real-time core 1'),
} as const satisfies Record<string, BusRegionRow>;
export type BusRegion = keyof typeof BUS_REGIONS;
export const BUS_REGION_NAMES = Object.keys(BUS_REGIONS) as readonly BusRegion[];

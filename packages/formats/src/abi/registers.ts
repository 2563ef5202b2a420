import { BUS_REGIONS, type BusRegion } from './bus-map.ts';

/**
 * Register offsets of the peripherals, named as real-time-cores.md §1.3–1.9 has them. One table for the models, the
 * kernel's drivers and the real-time cores. Offsets are from the block that the comment names.
 */

/** GPIO, from the start of its block: `GPIO_BLOCKS` says where that is, and where DIN is. */
export const GPIO_REGISTERS = {
  DOUT: 0x10,
  DOUT_SET: 0x14,
  DOUT_CLR: 0x18,
  OE: 0x20,
  OE_SET: 0x24,
  OE_CLR: 0x28,
  PU: 0x30,
  PU_SET: 0x34,
  PU_CLR: 0x38,
  PD: 0x40,
  PD_SET: 0x44,
  PD_CLR: 0x48,
  SR: 0x50,
  IES: 0x60,
  PADDRV: 0x70,
  RDSEL: 0x80,
  TDSEL: 0x90,
  EA: 0xa0,
  RSEL: 0xb0,
} as const;

/** PWM group, from `PWM_OFFSET` in its GPIO group; a channel's three registers are 0x10 apart. */
export const PWM_OFFSET = 0x1000;
export const PWM_REGISTERS = { GLO_CTRL: 0x00, CTRL: 0x100, PARAM_S0: 0x104, PARAM_S1: 0x108 } as const;
export const PWM_CHANNEL_STRIDE = 0x10;
export const PWM_CHANNELS = 4;
/** Clocks that GLO_CTRL b2:1 chooses from, in Hz. */
export const PWM_CLOCKS = [32_768, 2_000_000, 26_000_000] as const;
export const PWM_BITS = {
  KICK: 1,
  REPLAY: 1 << 1,
  POLARITY: 1 << 2,
  CLOCK_ENABLE: 1 << 4,
  /** The channel begins when KICK of GLO_CTRL is written. */
  GLOBAL_KICK: 1 << 5,
} as const;

/** I2C master, from `I2C_OFFSET` in its ISU. */
export const I2C_OFFSET = 0x200;
export const I2C_REGISTERS = {
  INT_CTRL: 0x00,
  TIMING0: 0x44,
  TIMING1: 0x48,
  COUNT0: 0x54,
  COUNT1: 0x58,
  COUNT2: 0x5c,
  SLAVE_ID: 0x60,
  PACK_CON0: 0x68,
  ACK_VAL: 0x6c,
  CON0: 0x70,
  STATUS: 0x74,
  FIFO_CLEAR: 0x78,
  FIFO_STATUS: 0x80,
  FIFO_POINTER: 0x84,
  FIFO_DATA: 0x90,
  DMA_CON0: 0xc0,
  S_CON0: 0xc4,
  S_SLAVE_ID: 0xc8,
  S_ID_RECEIVED0: 0xcc,
  S_FIFO_CLEAR: 0xd8,
  S_FIFO_STATUS: 0xe0,
  S_FIFO_POINTER: 0xe4,
  S_FIFO_DATA: 0xf0,
} as const;
export const I2C_BITS = {
  /** INT_CTRL */
  INT_STATUS: 1,
  INT_ENABLE: 2,
  SLAVE_INT_STATUS: 1 << 4,
  SLAVE_INT_ENABLE: 1 << 5,
  /** S_CON0 */
  SLAVE_ENABLE: 1 << 15,
  /** DMA_CON0: the slave's FIFOs, not the master's. */
  DMA_SLAVE: 1 << 5,
  /** S_FIFO_STATUS */
  RX_OVERFLOW: 1 << 3,
  TX_UNDERFLOW: 1 << 6,
  /** CON0 */
  START: 1,
  MASTER_ENABLE: 1 << 15,
  /** STATUS */
  BUSY: 1,
  START_READY: 4,
  /** FIFO_STATUS */
  RX_EMPTY: 1,
  RX_FULL: 2,
  TX_EMPTY: 1 << 4,
  TX_FULL: 1 << 5,
  /** ACK_VAL: no answer to the address of packet 0, 1, 2. */
  ID_NACK: 0xf00,
  DATA_NACK: 0xff,
} as const;

/** SPI master, from `SPI_OFFSET` in its ISU. */
export const SPI_OFFSET = 0x300;
export const SPI_REGISTERS = {
  STCSR: 0x00,
  SOAR: 0x04,
  SDOR0: 0x08,
  SMMR: 0x28,
  SMBCR: 0x2c,
  SCSR: 0x34,
  CSPOL: 0x38,
  DATA_PORT: 0x40,
  SDIR0: 0x48,
} as const;
export const SPI_BITS = {
  /** STCSR */
  START: 1 << 8,
  BUSY: 1 << 16,
  /** SMMR */
  LSB_FIRST: 1 << 3,
  CPOL: 1 << 4,
  CPHA: 1 << 5,
  INT_ENABLE: 1 << 9,
  FULL_DUPLEX: 1 << 10,
  /** CSPOL: bursts come, and what was received goes, through the data port. */
  DMA: 1 << 8,
} as const;
/** Chip select (SMMR b31:29) that selects nobody: the line is then what CSPOL says. */
export const SPI_NO_CHIP_SELECT = 7;
/** Bytes that SDOR and SDIR hold. */
export const SPI_BURST = 32;

/** UART, from `UART_OFFSET` in its ISU; a 16550 with registers of 32 bits. */
export const UART_OFFSET = 0x500;
export const UART_REGISTERS = {
  RBR_THR_DLL: 0x00,
  IER_DLM: 0x04,
  IIR_FCR_EFR: 0x08,
  LCR: 0x0c,
  MCR_XON1: 0x10,
  LSR_XON2: 0x14,
  MSR_XOFF1: 0x18,
  SCR_XOFF2: 0x1c,
  HIGHSPEED: 0x24,
  SAMPLE_COUNT: 0x28,
  SAMPLE_POINT: 0x2c,
  RX_LEVEL_CTL: 0x20,
  GUARD: 0x3c,
  ESCAPE_DAT: 0x40,
  ESCAPE_EN: 0x44,
  RTO: 0x48,
  VFIFO_EN: 0x4c,
  RX_TRIGGER: 0x50,
  FRACDIV_L: 0x54,
  FRACDIV_M: 0x58,
  FCR_READ: 0x5c,
  EXTEND_ADD: 0x64,
  RX_OFFSET: 0x68,
  TX_OFFSET: 0x6c,
} as const;
export const UART_BITS = {
  /** IER */
  RX_INT: 1,
  THRE_INT: 2,
  LINE_INT: 4,
  /** FCR */
  FIFO_ENABLE: 1,
  CLEAR_RX: 2,
  CLEAR_TX: 4,
  /** LCR */
  DLAB: 0x80,
  /** MCR */
  LOOP: 0x10,
  /** LSR */
  DATA_READY: 1,
  OVERRUN: 2,
  THR_EMPTY: 0x20,
  ALL_EMPTY: 0x40,
} as const;
/** LCR value that shows EFR, XON and XOFF. */
export const UART_LCR_EFR = 0xbf;
/** Crystal of UARTs, I2C and PWM, in Hz. */
export const CRYSTAL_HZ = 26_000_000;
/** Clock of the SPI masters, in Hz. */
export const SPI_HZ = 79_040_000;

/** ADC, from the start of its region. REFERENCE is ours: b0 of it chooses 1.8 V in place of 2.5 V. */
export const ADC_REGISTERS = {
  GLOBAL: 0x000,
  CTL0: 0x100,
  PERIOD: 0x104,
  CTL2: 0x108,
  CTL3: 0x10c,
  FIFO: 0x200,
  IER: 0x204,
  IIR: 0x208,
  LSR: 0x214,
  DMA_EN: 0x24c,
  TRIGGER: 0x260,
  FIFO_POINTER: 0x2d4,
  REFERENCE: 0x300,
} as const;
export const ADC_CHANNELS = 8;
export const ADC_BITS = 12;
/** Reference voltages in millivolts, by the value of REFERENCE. */
export const ADC_REFERENCES = [2500, 1800] as const;

/** Real-time clock, ours: whole milliseconds in two words; reading LOW latches HIGH, writing HIGH sets both. */
export const RTC_REGISTERS = { LOW: 0x00, HIGH: 0x04, STATUS: 0x08 } as const;
/** STATUS b0: the clock was set since the battery was put in. */
export const RTC_IS_SET = 1;

/** Power and resets, ours. CTRL b0: the next restart powers down until ALARM, in seconds, is over. */
export const POWER_REGISTERS = { CTRL: 0x00, ALARM: 0x04, REASON: 0x08, PROFILE: 0x0c } as const;
/** Longest power-down in seconds: a day, so that no device stays away from its updates for longer. */
export const LONGEST_POWER_DOWN = 86_400;
/** `PowerManagement_System_PowerProfile`, by the value of PROFILE. */
export const POWER_PROFILES = ['PowerSaver', 'Balanced', 'HighPerformance'] as const;
/** Why a chip left reset, by the value of REASON. */
export const RESET_REASONS = [
  'PowerOn',
  'Restart',
  'Watchdog',
  'WakeAlarm',
  'WakePin',
  'BusFault',
  'TrialNotConfirmed',
  'NoBootableImage',
  'StageFailed',
  'StageDied',
] as const;
export type ResetReason = (typeof RESET_REASONS)[number];

/** Mailbox between two cores (real-time-cores.md §2.1): each end sees its own. */
export const MAILBOX_REGISTERS = {
  VERSION: 0x00,
  GEN_CTRL: 0x04,
  SW_TX_INT_PORT: 0x14,
  SW_RX_INT_EN: 0x18,
  SW_RX_INT_STS: 0x1c,
  NF_THRESHOLD: 0x30,
  NE_THRESHOLD: 0x34,
  INT_EN: 0x38,
  INT_STS: 0x3c,
  CMD_POST: 0x40,
  DATA_POST: 0x44,
  POST_CNT: 0x48,
  CMD_POP: 0x50,
  DATA_POP: 0x54,
  POP_CNT: 0x58,
  SEMAPHORE: 0x60,
  /** Ours, and the application core's alone: what the core does, and that this has changed (write 1 to clear). */
  CORE_STATE: 0x80,
  CORE_EVENT: 0x84,
} as const;
export const MAILBOX_BITS = {
  /** GEN_CTRL */
  RESET_BOTH: 1,
  RESET_OWN: 2,
  /** INT_EN, INT_STS: sources differ in the order, and no known program depends on it. */
  NOT_EMPTY: 1,
  WRITTEN: 2,
  NOT_FULL: 4,
  READ: 8,
} as const;
export const MAILBOX_VERSION = 0x3620_0000;
/** Pairs of command and data that wait in one direction. */
export const MAILBOX_DEPTH = 15;
/** What a real-time core does, by the value of CORE_STATE. */
export const CORE_STATES = ['off', 'running', 'failed'] as const;
export type CoreState = (typeof CORE_STATES)[number];

/** Pins of one I/O block, in the order of its bits, and where its registers are. */
export interface GpioBlock {
  readonly region: BusRegion;
  /** From the start of the region to the registers. */
  readonly offset: number;
  /** Offset of DIN from there: it differs by kind of block. */
  readonly din: number;
  readonly pins: readonly number[];
}

const pins = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Every GPIO of the chip, by block. A block belongs to one core: the firewall knows no smaller part. */
export const GPIO_BLOCKS: readonly GpioBlock[] = [
  { region: 'gpio0', offset: 0, din: 0x04, pins: pins(0, 3) },
  { region: 'gpio1', offset: 0, din: 0x04, pins: pins(4, 7) },
  { region: 'gpio2', offset: 0, din: 0x04, pins: pins(8, 11) },
  { region: 'gpio3', offset: 0, din: 0x04, pins: pins(12, 15) },
  { region: 'gpio4', offset: 0, din: 0x04, pins: pins(16, 19) },
  { region: 'gpio5', offset: 0, din: 0x04, pins: pins(20, 23) },
  { region: 'isu0', offset: 0, din: 0x0c, pins: pins(26, 30) },
  { region: 'isu1', offset: 0, din: 0x0c, pins: pins(31, 35) },
  { region: 'isu2', offset: 0, din: 0x0c, pins: pins(36, 40) },
  { region: 'adc', offset: 0, din: 0x04, pins: pins(41, 48) },
  { region: 'i2s0', offset: 0x100, din: 0x00, pins: pins(56, 60) },
  { region: 'i2s1', offset: 0x100, din: 0x00, pins: pins(61, 65) },
  { region: 'isu3', offset: 0, din: 0x0c, pins: pins(66, 70) },
  { region: 'isu4', offset: 0, din: 0x0c, pins: pins(71, 75) },
  { region: 'hlGpio', offset: 0, din: 0x04, pins: [24, 25, ...pins(49, 55), 80] },
];

/** The block and bit of a pin; null: the chip has no such pin. */
export function gpioPlace(pin: number): { readonly block: GpioBlock; readonly bit: number } | null {
  for (const block of GPIO_BLOCKS) {
    const index = block.pins.indexOf(pin);
    if (index >= 0) return { block, bit: 2 ** index };
  }
  return null;
}

/** Regions of the serial units, by number. */
export const ISU_REGIONS = ['isu0', 'isu1', 'isu2', 'isu3', 'isu4'] as const satisfies readonly BusRegion[];
/** Regions of the I2S units, by number. */
export const I2S_REGIONS = ['i2s0', 'i2s1'] as const satisfies readonly BusRegion[];
/** Where the samples of each are written and read. */
export const I2S_DATA_REGIONS = ['i2s0Data', 'i2s1Data'] as const satisfies readonly BusRegion[];
/** Regions of the GPIO groups, by number. */
export const GPIO_GROUP_REGIONS = [
  'gpio0',
  'gpio1',
  'gpio2',
  'gpio3',
  'gpio4',
  'gpio5',
] as const satisfies readonly BusRegion[];
/** Regions of the PWM controllers, by number. */
export const PWM_REGIONS = ['gpio0', 'gpio1', 'gpio2'] as const satisfies readonly BusRegion[];

/**
 * Interrupt lines (real-time-cores.md §1.2): serial unit n adds 4 · n. `mailbox` is ours, above the lines that
 * real-time cores have: the application core's end of the mailbox with core n is n after it.
 */
export const INTERRUPT_LINES = {
  i2c: 44,
  spi: 45,
  uart: 47,
  i2s: 68,
  adc: 70,
  gpioCounter: 71,
  mailbox: 128,
} as const;

/** The application core's ends of the mailboxes, and the memory shared with each real-time core, by number. */
export const MAILBOX_REGIONS = ['mailbox0', 'mailbox1'] as const satisfies readonly BusRegion[];
export const INTERCORE_REGIONS = ['intercore0', 'intercore1'] as const satisfies readonly BusRegion[];

/** The address of a register on the bus. */
export function registerAddress(region: BusRegion, offset: number): number {
  return BUS_REGIONS[region].offset + offset;
}

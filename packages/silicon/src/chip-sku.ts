import {
  ADC_CHANNELS,
  APP_MEMORY,
  ASSIGNABLE_REGIONS,
  BUS_MASTERS,
  BUS_REGIONS,
  CHIP_SKUS,
  FLASH_PAGE,
  FLASH_SECTOR,
  FLASH_SIZE,
  GPIO_BLOCKS,
  I2S_REGIONS,
  ISU_REGIONS,
  MAX_SECURITY_VERSION,
  PWM_CHANNELS,
  PWM_REGIONS,
  REAL_TIME_MASTERS,
  RESET_RULES,
  RUN_RULES,
  type BusMaster,
  type BusRegion,
  type BusRegionRow,
  type ChipSkuName,
  type FirewallRule,
} from '@sevenfold/formats';

/** What chips of one SKU are like. */
export interface ChipSku {
  /** As fused, and as images name it. */
  readonly number: number;
  readonly flash: { readonly bytes: number; readonly sector: number; readonly page: number };
  /** Bytes that each kind of software may have. */
  readonly ram: {
    readonly highLevelApp: number;
    readonly realTimeCode: number;
    readonly realTimeData: number;
  };
  readonly realTimeCores: number;
  /** What the Security Monitor can give to one of them. */
  readonly realTimeRegions: readonly BusRegion[];
  /** By name as manifests have it, with its region and pins. */
  readonly peripherals: readonly {
    readonly name: string;
    readonly region: BusRegion;
    readonly what: string;
  }[];
  readonly pins: readonly number[];
  /** Highest security version that a counter of fuses holds. */
  readonly securityVersions: number;
  readonly masters: readonly BusMaster[];
  readonly regions: Readonly<Record<BusRegion, BusRegionRow>>;
  /** The firewall from reset until the Security Monitor locks it, and from then on. */
  readonly firewall: { readonly reset: readonly FirewallRule[]; readonly running: readonly FirewallRule[] };
}

const KIB = 1024;

/** The reference, of which the others are variants. */
const REFERENCE: ChipSku = {
  number: CHIP_SKUS['SF-V1'],
  flash: { bytes: FLASH_SIZE, sector: FLASH_SECTOR, page: FLASH_PAGE },
  ram: { highLevelApp: APP_MEMORY['SF-V1'], realTimeCode: 192 * KIB, realTimeData: 64 * KIB },
  realTimeCores: REAL_TIME_MASTERS.length,
  realTimeRegions: ASSIGNABLE_REGIONS,
  peripherals: [
    ...ISU_REGIONS.map((region, index) => ({
      name: `ISU${index}`,
      region,
      what: 'UART, I2C master or SPI master',
    })),
    ...I2S_REGIONS.map((region, index) => ({ name: `I2S${index}`, region, what: 'frames of two samples' })),
    { name: 'ADC-CONTROLLER-0', region: 'adc', what: `${ADC_CHANNELS} channels of 12 bits` },
    ...PWM_REGIONS.map((region, index) => ({
      name: `PWM-CONTROLLER-${index}`,
      region,
      what: `${PWM_CHANNELS} channels`,
    })),
  ],
  pins: GPIO_BLOCKS.flatMap(({ pins }) => pins).toSorted((a, b) => a - b),
  securityVersions: MAX_SECURITY_VERSION,
  masters: BUS_MASTERS,
  regions: BUS_REGIONS,
  firewall: { reset: RESET_RULES, running: RUN_RULES },
};

/** Every SKU: the table that `sevenfold chip show` lists, and from which the model is made. */
export const CHIP_SKU_TABLE: Readonly<Record<ChipSkuName, ChipSku>> = {
  'SF-V1': REFERENCE,
  /** More memory for apps, and nothing else. */
  'SF-V1L': {
    ...REFERENCE,
    number: CHIP_SKUS['SF-V1L'],
    ram: { ...REFERENCE.ram, highLevelApp: APP_MEMORY['SF-V1L'] },
  },
};

import type { SystemImageTypeName } from './image-types.ts';

/** Flash of the reference SKU, in bytes: NOR rules, 4 KiB sectors, 256-byte pages. */
export const FLASH_SIZE = 16 * 1024 * 1024;
export const FLASH_SECTOR = 4096;
export const FLASH_PAGE = 256;

/** A part of flash: first byte and length, both whole sectors. */
export interface FlashRegion {
  readonly offset: number;
  readonly length: number;
}
export type SlotName = 'A' | 'B';

const KIB = 1024;
const systemSlot = (offset: number, length: number): Readonly<Record<SlotName, FlashRegion>> => ({
  A: { offset, length },
  B: { offset: offset + length, length },
});

/** Who keeps what where in the flash of the reference SKU. */
export const FLASH_MAP = {
  /** Boot records, see `boot-record.ts`: four sectors, used in turn. */
  bootRecord: { offset: 0, length: 4 * FLASH_SECTOR },
  /** Pluton's own state, its counters: four sectors, used in turn. */
  plutonState: { offset: 0x00c000, length: 4 * FLASH_SECTOR },
  /** Every system image has two slots of its own: each layer is updated alone. */
  system: {
    TrustedKeystore: systemSlot(0x010000, 32 * KIB),
    UpdateCertStore: systemSlot(0x020000, 32 * KIB),
    PlutonRuntime: systemSlot(0x040000, 512 * KIB),
    SecurityMonitor: systemSlot(0x140000, 512 * KIB),
    NormalWorldKernel: systemSlot(0x240000, 2048 * KIB),
    Services: systemSlot(0x640000, 1024 * KIB),
  } satisfies Record<SystemImageTypeName, Readonly<Record<SlotName, FlashRegion>>>,
  /**
   * Images of apps, high-level and real-time: `most` of them, `bytes` in all (azure-sphere.md §3.4: the whole package of
   * each counts). The region has room for that three times over, each package in sectors of its own wherever they are
   * free (`application-area.ts`): what runs, what a fallback would need, and what is staged.
   */
  applications: { offset: 0x840000, length: 4096 * KIB, most: 24, bytes: 1024 * KIB },
  /** The log of failures and events that wait for upload. */
  records: { offset: 0xc40000, length: 512 * KIB },
  /** Mutable storage of apps: 64 KiB for each of them, and the next version of one beside it. */
  mutable: { offset: 0xcc0000, length: 1792 * KIB },
} as const;

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SYSTEM_IMAGE_TYPES, toHex } from '@sevenfold/formats';
import {
  insecureSeededEntropy,
  memoryFlash,
  memoryFuses,
  openChip,
  SERVICE_PORT,
  type ManufacturingState,
} from '@sevenfold/silicon';
import { CHIP_FILES, requireChipInfo } from './chip-folder.ts';

/** What anybody may know of one chip: fuses by name, and never a seed. */
export interface ChipFacts {
  readonly deviceId: string;
  readonly sku: string;
  readonly chipSku: number;
  readonly manufacturingState: ManufacturingState;
  /** SHA-256 of the root key's SPKI, in hexadecimal. */
  readonly rootKeyHash: string;
  readonly locked: readonly string[];
  readonly needsSecondSignature: boolean;
  /** Rollback counters by image type. */
  readonly securityVersions: Readonly<Record<string, number>>;
  readonly stateEpoch: number;
  /** What its state still lets anybody do at the service port. */
  readonly servicePort: readonly string[];
}

const LOCKABLE = ['chipSku', 'rootKeyHash', 'identitySeed'] as const;

/** Reads the fuses of the chip in `dir`, also while it runs. `ChipNotFound`, `ChipUnfinished` or `ChipDamaged`. */
export async function readChipFacts(dir: string): Promise<ChipFacts> {
  const { deviceId, sku } = await requireChipInfo(dir);
  const bits = new Uint8Array(await readFile(join(dir, CHIP_FILES.fuses)));
  // A copy of the bits: nothing here can burn one.
  const { fuses } = openChip({
    flash: memoryFlash(),
    fuses: memoryFuses(bits),
    entropy: insecureSeededEntropy('never asked'),
  });
  const state = fuses.manufacturingState;
  return {
    deviceId,
    sku,
    chipSku: fuses.chipSku,
    manufacturingState: state,
    rootKeyHash: toHex(fuses.rootKeyHash),
    locked: LOCKABLE.filter((field) => fuses.isLocked(field)),
    needsSecondSignature: fuses.needsSecondSignature,
    securityVersions: Object.fromEntries(
      SYSTEM_IMAGE_TYPES.map((type) => [type, fuses.securityVersion(type)]),
    ),
    stateEpoch: fuses.stateEpoch,
    servicePort: Object.entries(SERVICE_PORT).flatMap(([operation, states]) =>
      states[state] ? [operation] : [],
    ),
  };
}

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHIP_SKUS, type ChipSkuName, type Entropy } from '@sevenfold/formats';
import {
  CHIP_SKU_TABLE,
  fileFlash,
  fileFuses,
  memoryFlash,
  memoryFuses,
  openChip,
  provisionFlash,
  systemEntropy,
  type Chip,
  type ProvisionImage,
} from '@sevenfold/silicon';
import {
  CHIP_FILES,
  makeChipFolder,
  markFinished,
  markUnfinished,
  readChipInfo,
  type ChipInfo,
} from './chip-folder.ts';
import { lockChip } from './chip-lock.ts';
import { DeviceError } from './errors.ts';

/** What a chip is made from. */
export interface ManufactureOptions {
  /** The chip's folder; made where there is none. */
  readonly dir: string;
  readonly sku?: ChipSkuName;
  /** One system image of each type: an `OsRelease`'s images. */
  readonly images: readonly ProvisionImage[];
  /** Image packages of apps that are installed at once; default: none, as at the factory. */
  readonly applications?: readonly Uint8Array[];
  /** SHA-256 of the root key's SPKI. */
  readonly rootKeyHash: Uint8Array;
  /** Noise for the chip's keys; default: the machine's. */
  readonly entropy?: Entropy;
}

/**
 * Makes a chip: fuses, an identity made inside, the OS and nothing else in flash, state DeviceComplete. Gives what
 * the silicon maker endorses. Cut anywhere, the folder is recognised as unfinished, and the next call begins anew;
 * a finished chip is refused with `ChipExists`.
 */
export async function manufacture(options: ManufactureOptions): Promise<ChipInfo> {
  const { dir, sku = 'SF-V1' } = options;
  await makeChipFolder(dir);
  const lock = await lockChip(dir);
  try {
    const present = await readChipInfo(dir);
    if (present !== null && present !== 'unfinished') {
      throw new DeviceError('ChipExists', `There is a finished chip in ${dir} already: ${present.deviceId}.`);
    }
    await markUnfinished(dir);
    // Nobody has been told of the identity that a cut left here: a new one takes its place.
    await rm(join(dir, CHIP_FILES.fuses), { force: true });
    await rm(join(dir, CHIP_FILES.flash), { force: true });
    const info = makeChip(options, sku);
    await markFinished(dir, info);
    return info;
  } finally {
    await lock.release();
  }
}

function makeChip(options: ManufactureOptions, sku: ChipSkuName): ChipInfo {
  const chip = openChip({
    flash: fileFlash(join(options.dir, CHIP_FILES.flash), CHIP_SKU_TABLE[sku].flash.bytes),
    fuses: fileFuses(join(options.dir, CHIP_FILES.fuses)),
    entropy: options.entropy ?? systemEntropy(),
  });
  try {
    return finishChip(chip, options, sku);
  } finally {
    chip.close();
  }
}

function finishChip(
  chip: Chip,
  { images, applications, rootKeyHash }: Omit<ManufactureOptions, 'dir'>,
  sku: ChipSkuName,
): ChipInfo {
  chip.powerOn();
  const { deviceId, attestationSpki } = chip.manufacture({ chipSku: CHIP_SKUS[sku], rootKeyHash });
  chip.setManufacturingState('Module1Complete');
  chip.servicePort.require('writeFlash');
  provisionFlash(chip.flash, images, applications);
  chip.setManufacturingState('DeviceComplete');
  chip.powerOff();
  return { sku, deviceId, attestationSpki };
}

/** As `manufacture`, for a chip without a folder: for simulations and fault sweeps. Goes to `runDevice`. */
export function manufactureInMemory(options: Omit<ManufactureOptions, 'dir'>): {
  readonly chip: Chip;
  readonly info: ChipInfo;
} {
  const { sku = 'SF-V1' } = options;
  const chip = openChip({
    flash: memoryFlash(CHIP_SKU_TABLE[sku].flash.bytes),
    fuses: memoryFuses(),
    entropy: options.entropy ?? systemEntropy(),
  });
  return { chip, info: finishChip(chip, options, sku) };
}

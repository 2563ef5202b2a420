import {
  IMAGE_TYPES,
  fileOf,
  loadSystemImage,
  parseImagePackage,
  type BootConfig,
  type BootReport,
  type SlotName,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import type { FlashPort, PlutonPort, VerifiedByPluton } from './ports.ts';

/** What the monitor loads with. */
export interface BootChain {
  readonly flash: FlashPort;
  readonly pluton: PlutonPort;
  readonly config: BootConfig;
  /** What was loaded so far, by all layers; every load adds to it. */
  readonly report: BootReport;
  readonly log: (line: string) => void;
}

/** A verified image of the system: its files, and the slot it came from. */
export interface VerifiedStage {
  readonly slot: SlotName;
  /** Throws `ImageRefused` for a file that is not in it; those asked for in `needs` are. */
  file(path: string): Uint8Array;
}

/**
 * Loads an image of the system for this boot: from the configured slot or else the other one, verified by Pluton,
 * complete, and measured before anything of it is used. Throws `NoBootableImage`.
 */
export async function verifyStage(
  { flash, pluton, config, report, log }: BootChain,
  type: SystemImageTypeName,
  needs: readonly string[],
): Promise<VerifiedStage> {
  const loaded = await loadSystemImage<VerifiedByPluton>({
    type,
    preferred: config.system[type],
    readFlash: flash.read,
    async verify(untrusted) {
      const image = await pluton.verifyImage(untrusted, IMAGE_TYPES[type], false);
      for (const path of needs) fileIn(untrusted, path);
      // Only now is it certain to be used: an image that was refused is not measured.
      return pluton.verifyImage(untrusted, IMAGE_TYPES[type], true).then(() => image);
    },
    log,
    report,
  });
  if (loaded === null) throw new MonitorError('NoBootableImage', `no copy of ${type} is fit to run`);
  return { slot: loaded.slot, file: (path) => fileIn(loaded.package, path) };
}

/** A file of an image package. Throws `ImageRefused`, `FormatError`. */
export function fileIn(imagePackage: Uint8Array, path: string): Uint8Array {
  return fileOf(parseImagePackage(imagePackage), path);
}

import {
  IMAGE_TYPES,
  fileIn,
  loadSystemImage,
  parseSignedFileSystem,
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
  /** Throws `ImageRefused` for a file that is not in it; those of `NEEDED_FILES` are. */
  file(path: string): Uint8Array;
}

/**
 * Loads an image of the system for this boot: from the configured slot or else the other one, verified by Pluton, and
 * measured before anything of it is used. Throws `NoBootableImage`.
 */
export async function verifyStage(
  { flash, pluton, config, report, log }: BootChain,
  type: SystemImageTypeName,
): Promise<VerifiedStage> {
  const loaded = await loadSystemImage<VerifiedByPluton>({
    type,
    preferred: config.system[type],
    readFlash: flash.read,
    verify: (untrusted) => pluton.verifyImage(untrusted, IMAGE_TYPES[type], true),
    log,
    report,
  });
  if (loaded === null) throw new MonitorError('NoBootableImage', `no copy of ${type} is fit to run`);
  const files = parseSignedFileSystem(parseImagePackage(loaded.package).payload);
  return { slot: loaded.slot, file: (path) => fileIn(files, path) };
}

import { toHex } from '../bytes.ts';
import { toProblem } from '../errors.ts';
import { FLASH_MAP, type SlotName } from './flash-map.ts';
import { IMAGE_TYPES, type SystemImageTypeName } from './image-types.ts';
import { SLOT_PACKAGE_OFFSET, decodeSlotHeader, slotCapacity } from './slot.ts';

/** An image that was found unfit on the way up, as `bootInfo` reports it. */
export type BootFailure = {
  readonly imageType: number;
  readonly slot: string;
  readonly code: string;
  readonly message: string;
};

/** A stage that was verified and measured, as `bootInfo` reports it. */
export type BootStage = {
  readonly imageType: number;
  readonly slot: string;
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly securityVersion: number;
};

/** What one layer found out while it loaded images. */
export type BootReport = { readonly stages: BootStage[]; readonly failures: BootFailure[] };

/** What a layer must know of an image it verified. */
export interface LoadedIdentity {
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly securityVersion: number;
}

/** Codes that say nothing about the image: power lost, hardware gone, a defect of ours. */
const NO_VERDICT: ReadonlySet<string> = new Set(['Internal', 'PowerCut', 'BusFault', 'StageStopped']);

/** How a layer loads the copies of one image. */
export interface ImageLoading<Identity extends LoadedIdentity> {
  readonly type: SystemImageTypeName;
  /** The slot that the boot record names; the other one holds the copy to go on with if this one is bad. */
  readonly preferred: SlotName;
  readonly readFlash: (offset: number, length: number) => Promise<Uint8Array>;
  /** Verifies exactly these bytes; they are also what is measured and run (no second read). */
  readonly verify: (untrustedPackage: Uint8Array) => Promise<Identity>;
  readonly log: (line: string) => void;
  /** Takes what was found. */
  readonly report: BootReport;
}

/** An image as loaded: where from, its bytes, and what its verification yielded. */
export interface LoadedImage<Identity extends LoadedIdentity> {
  readonly slot: SlotName;
  readonly package: Uint8Array;
  readonly identity: Identity;
}

/**
 * Reads and verifies an image from its preferred slot or else from the other one, and says in one clear line what
 * happened. Null: no copy is fit to run, the layer must stop.
 */
export async function loadSystemImage<Identity extends LoadedIdentity>(
  loading: ImageLoading<Identity>,
): Promise<LoadedImage<Identity> | null> {
  const { type, preferred, report } = loading;
  // Loaded again (a layer above asks for it twice): what is told of it is replaced, and the report does not grow.
  forget(report.stages, IMAGE_TYPES[type]);
  forget(report.failures, IMAGE_TYPES[type]);
  const order: readonly SlotName[] = preferred === 'A' ? ['A', 'B'] : ['B', 'A'];
  for (const slot of order) {
    try {
      const bytes = await readSlot(type, slot, loading);
      const identity = await loading.verify(bytes);
      const { imageId, componentId, name, digest, securityVersion } = identity;
      report.stages.push({
        imageType: IMAGE_TYPES[type],
        slot,
        imageId,
        componentId,
        name,
        digest,
        securityVersion,
      });
      loading.log(`${type} slot ${slot} verified: ${name} (${toHex(digest.subarray(0, 4))}…)`);
      return { slot, package: bytes, identity };
    } catch (error) {
      const { code, message } = toProblem(error);
      if (NO_VERDICT.has(code)) throw error;
      report.failures.push({ imageType: IMAGE_TYPES[type], slot, code, message });
      const next = slot === order[0] ? `trying slot ${order[1] ?? ''}` : 'no copy is left, stopping';
      loading.log(`${type} slot ${slot} refused: ${code} – ${message} – ${next}`);
    }
  }
  return null;
}

function forget(entries: { readonly imageType: number }[], imageType: number): void {
  for (let index = entries.length - 1; index >= 0; index--) {
    if (entries[index]?.imageType === imageType) entries.splice(index, 1);
  }
}

async function readSlot(
  type: SystemImageTypeName,
  slot: SlotName,
  { readFlash }: Pick<ImageLoading<LoadedIdentity>, 'readFlash'>,
): Promise<Uint8Array> {
  const region = FLASH_MAP.system[type][slot];
  const header = decodeSlotHeader(await readFlash(region.offset, 256), slotCapacity(region));
  return readFlash(region.offset + SLOT_PACKAGE_OFFSET, header.size);
}

import { CHIP_SKUS, IMAGE_TYPES, parseImagePackage, type PortValue } from '@sevenfold/formats';
import {
  insecureSeededEntropy,
  memoryFlash,
  memoryFuses,
  openChip,
  provisionFlash,
  type Chip,
  type ChipParts,
  type Manufacturing,
  type MemoryFlash,
  type MemoryFuses,
  type ProvisionImage,
} from '@sevenfold/silicon';
import type { VirtualBoard } from '../board.ts';
import { stageProgram } from './stage-program.fixture.ts';
import { virtualClock, type VirtualClock } from './virtual-clock.fixture.ts';
import type { Wiring } from '../stage-loader.ts';
import { createVirtualBoard } from '../virtual-board.ts';
import { rootKeyHash, sha256 } from './release.fixture.ts';

/** A chip's bits, to be copied as often as a sweep needs. */
export interface ChipBits {
  readonly flash: MemoryFlash;
  readonly fuses: MemoryFuses;
}

/** A chip that nobody has manufactured. */
export function blankBits(): ChipBits {
  return { flash: memoryFlash(), fuses: memoryFuses() };
}

/** A manufactured chip with a release in both slots of everything. */
export function manufactureBits(
  images: readonly ProvisionImage[],
  manufacturing: Partial<Manufacturing> = {},
  seed = 'factory',
): ChipBits {
  const bits = blankBits();
  const chip = openChip({ ...bits, entropy: insecureSeededEntropy(seed) });
  chip.powerOn();
  chip.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash, ...manufacturing });
  provisionFlash(chip.flash, images);
  chip.setManufacturingState('DeviceComplete');
  return bits;
}

/** An independent chip with the same bits. */
export function copyBits({ flash, fuses }: ChipBits): ChipBits {
  return { flash: flash.copy(), fuses: fuses.copy() };
}

/** A chip on a board without a network. */
export interface TestDevice {
  readonly chip: Chip;
  readonly board: VirtualBoard;
  readonly clock: VirtualClock;
  /** Calls the monitor, through the test release's services and kernel. */
  readonly call: (method: string, ...args: readonly PortValue[]) => Promise<PortValue>;
}

export function makeDevice(bits: Omit<ChipParts, 'entropy'>, wiring: Wiring = 'inline'): TestDevice {
  const chip = openChip({ ...bits, entropy: insecureSeededEntropy('device') });
  const clock = virtualClock();
  const board = createVirtualBoard({
    chip,
    wiring,
    clock,
    ...(wiring === 'inline' ? {} : { stageWorker: stageProgram() }),
    network: () => ({
      handle: () => Promise.reject(new Error('no network')),
      close: () => Promise.resolve(),
    }),
  });
  return { chip, board, clock, call: (method, ...args) => board.gateway.call(method, ...args) };
}

/** Stages a whole image and finishes it; gives the staging id. */
export async function stage({ call }: TestDevice, bytes: Uint8Array): Promise<number> {
  const { imageType, componentId, imageId } = parseImagePackage(bytes).fields;
  const begun = (await call('stageBegin', {
    imageType,
    componentId,
    imageId,
    size: bytes.length,
    digest: sha256(bytes),
  })) as {
    stagingId: number;
    written: number;
  };
  for (let at = begun.written; at < bytes.length; at += 65_536) {
    await call('stageWrite', begun.stagingId, at, bytes.subarray(at, at + 65_536));
  }
  await call('stageFinish', begun.stagingId);
  return begun.stagingId;
}

/** Names of the active images by type, as the monitor lists them. */
export async function activeNames({ call }: TestDevice): Promise<Readonly<Record<string, string>>> {
  const images = (await call('listImages')) as readonly { imageType: number; name: string; state: string }[];
  const typeName = (imageType: number): string =>
    Object.entries(IMAGE_TYPES).find(([, value]) => value === imageType)?.[0] ?? '';
  return Object.fromEntries(
    images
      .filter(({ state }) => state === 'active')
      .map(({ imageType, name }) => [typeName(imageType), name]),
  );
}

/** Waits until the board has settled after a reset. */
export async function settled({ board }: TestDevice): Promise<VirtualBoard['state']> {
  for (let turn = 0; turn < 1000 && (board.state === 'booting' || turn < 3); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return board.state;
}

import { join } from 'node:path';
import type { Clock, Entropy, Port, ResetReason } from '@sevenfold/formats';
import {
  CHIP_SKU_TABLE,
  fileFlash,
  fileFuses,
  fileRtc,
  fitParts,
  type BoardDescription,
  type PartModel,
  type PartStorage,
  openChip,
  systemEntropy,
  threadedCores,
  type Chip,
  type FlashStorage,
} from '@sevenfold/silicon';
import {
  createBoardNetwork,
  createVirtualBoard,
  hostClock,
  type BoardNetwork,
  type BoardNetworkOptions,
  type BootOutcome,
  type VirtualBoard,
  type Wiring,
} from '@sevenfold/os';
import { CHIP_FILES, partFile, requireChipInfo, type ChipInfo } from './chip-folder.ts';
import { lockChip } from './chip-lock.ts';
import { readDeviceStatus, type DeviceStatus } from './device-status.ts';
import { holdTimeDuring } from './held-network.ts';
import { bundleCoreWorker, bundleStageWorker } from './stage-bundle.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How a device is run. */
export interface DeviceRunOptions {
  /** `inline`: one thread, on any clock. `thread` or `process`: one for each stage, on the host's time. See docs/wiring.md. */
  readonly wiring: Wiring;
  /** For `inline` wiring; default: the host's time. On a virtual clock network operations hold time. */
  readonly clock?: Clock | VirtualClock;
  /** How the board reaches the world: names, limits. Default: the machine's network. */
  readonly network?: BoardNetworkOptions;
  /** What hangs on the chip; default: nothing. */
  readonly board?: BoardDescription;
  /** What memories of the board keep their content in; default: in memory, until the device is closed. */
  readonly partStorage?: PartStorage;
  /** What `bundleStageWorker` gives: for `process` wiring, and for `thread`, which then starts sooner and smaller. */
  readonly stageWorker?: string;
}

/** How a chip's folder is opened. */
export interface OpenDeviceOptions extends DeviceRunOptions {
  readonly dir: string;
  /** Noise for the chip's keys and nonces; default: the machine's. */
  readonly entropy?: Entropy;
}

/** A virtual device: a chip on a board, powered by hand. */
export interface VirtualDevice {
  readonly deviceId: string;
  /** SubjectPublicKeyInfo of the attestation key, DER: what the silicon maker endorses. */
  readonly attestationSpki: Uint8Array;
  /** Powers on. Resolves when the OS services run, or the device has stopped. */
  boot(): Promise<BootOutcome>;
  /** Takes the power away. */
  powerOff(): Promise<void>;
  /**
   * Rewrites all of flash from a recovery set, one signed image of each system type, and boots it. Rejects with what
   * the set is refused for; flash is then as it was.
   */
  recover(untrustedSet: readonly Uint8Array[]): Promise<BootOutcome>;
  /** Pulls the WAKEUP pin of a device that is asleep. */
  wake(): Promise<BootOutcome>;
  /** `off`, `booting`, `running`, `stopped`, or `asleep`: powered down by its software until its alarm. */
  readonly state: VirtualBoard['state'];
  /** The attached-device gateway, see `GATEWAY_CALLS`. */
  readonly gateway: Port;
  status(): Promise<DeviceStatus>;
  /** One whole round now: attest, plan, update, report. Rejects with `StageStopped` if the device restarts meanwhile. */
  checkNow(): Promise<DeviceStatus>;
  /** Lines of all layers since the device was opened. */
  readonly bootLog: readonly string[];
  onLog(listener: (line: string) => void): () => void;
  onReset(listener: (reason: ResetReason) => void): () => void;
  pinLevel(pin: number): 0 | 1;
  /** Told of every change of a pin that the chip drives, with the board's monotonic time in ms. */
  onPin(pin: number, listener: (level: 0 | 1, time: number) => void): () => void;
  drivePin(pin: number, level: 0 | 1): void;
  /** For debuggers, which hold the apps' threads: their watchdogs wait until they are let go. */
  holdApps(isHeld: boolean): Promise<void>;
  /** The parts of the board, by name: to press its buttons and to look at its lamps. */
  readonly parts: ReadonlyMap<string, PartModel>;
  /** The chip itself: for fault plans and for those who attack it. */
  readonly chip: Chip;
  /** Powers off and lets go of the chip's files. */
  close(): Promise<void>;
}

/** Opens a finished chip's folder for this process alone. `ChipInUse`, `ChipNotFound`, `ChipUnfinished`. */
export async function openDevice(options: OpenDeviceOptions): Promise<VirtualDevice> {
  const { dir, entropy = systemEntropy() } = options;
  const info = await requireChipInfo(dir);
  const lock = await lockChip(dir);
  try {
    const needsWorker = options.wiring !== 'inline' && options.stageWorker === undefined;
    const stageWorker = needsWorker ? { stageWorker: await bundleStageWorker() } : {};
    const chip = openChip({
      flash: fileFlash(join(dir, CHIP_FILES.flash), CHIP_SKU_TABLE[info.sku].flash.bytes),
      fuses: fileFuses(join(dir, CHIP_FILES.fuses)),
      rtc: fileRtc(join(dir, CHIP_FILES.rtc)),
      entropy,
    });
    const memories: FlashStorage[] = [];
    const partStorage: PartStorage = (name, bytes) => {
      const memory = fileFlash(join(dir, partFile(name)), bytes);
      memories.push(memory);
      return memory;
    };
    return runDevice(chip, info, { ...stageWorker, partStorage, ...options }, () => {
      for (const memory of memories) memory.close();
      return lock.release();
    });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Puts any chip, also one that lives in memory alone, on a board. `release` is called after `close`. */
export function runDevice(
  chip: Chip,
  { deviceId, attestationSpki }: Pick<ChipInfo, 'deviceId' | 'attestationSpki'>,
  { wiring, clock, network = {}, stageWorker, board: description, partStorage }: DeviceRunOptions,
  release: () => Promise<void> = () => Promise.resolve(),
): VirtualDevice {
  // On one thread time may be virtual, and then the cores' time is part of it.
  chip.hostRealTimeCores(wiring === 'inline' ? null : threadedCores(bundleCoreWorker));
  const board = createVirtualBoard({
    chip,
    wiring,
    ...(clock === undefined ? {} : { clock }),
    ...(stageWorker === undefined ? {} : { stageWorker }),
    network: () => makeNetwork(network, clock),
  });
  const parts: ReadonlyMap<string, PartModel> =
    description === undefined ? new Map() : fitParts(chip, description, clock ?? hostClock(), partStorage);
  let isClosed = false;
  return {
    deviceId,
    attestationSpki,
    chip,
    parts,
    boot: () => board.powerOn(),
    powerOff: () => board.powerOff(),
    wake: () => board.wake(),
    recover: (untrustedSet) => board.recover(untrustedSet),
    get state() {
      return board.state;
    },
    gateway: board.gateway,
    status: async () => readDeviceStatus(await board.gateway.call('status')),
    checkNow: async () => readDeviceStatus(await board.gateway.call('checkNow')),
    get bootLog() {
      return board.bootLog;
    },
    onLog: (listener) => board.onLog(listener),
    onReset: (listener) => board.onReset(listener),
    pinLevel: (pin) => board.pinLevel(pin),
    onPin: (pin, listener) => board.onPin(pin, listener),
    drivePin: (pin, level) => board.drivePin(pin, level),
    holdApps: (isHeld) => board.holdApps(isHeld),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await board.powerOff();
      chip.close();
      await release();
    },
  };
}

function isVirtual(clock: Clock | VirtualClock | undefined): clock is VirtualClock {
  return clock !== undefined && 'hold' in clock;
}

function makeNetwork(options: BoardNetworkOptions, clock: Clock | VirtualClock | undefined): BoardNetwork {
  if (!isVirtual(clock)) return createBoardNetwork(options);
  // Servers are judged at the device's own time: the machine's may be years away.
  return holdTimeDuring(createBoardNetwork({ now: () => clock.now(), ...options }), clock);
}

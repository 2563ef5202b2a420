import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildOsRelease,
  bundleStageWorker,
  manufactureInMemory,
  readBoard,
  runDevice,
  virtualBoard,
  type OsRelease,
  type VirtualClock,
  type VirtualDevice,
} from '@sevenfold/device';
import { IMAGE_TYPES, imageUse, SYSTEM_IMAGE_TYPES } from '@sevenfold/formats';
import type { AccessPoint, PrivateNetwork } from '@sevenfold/os';
import type { DeveloperKey } from './developer-key.ts';

/** The OS of this installation's sources, as a local device runs it. */
const OS_VERSION = '26.11.0';
/** There is no service: the services of the device find none, and the app runs all the same. */
const NO_SERVICE = { host: 'service.invalid', port: 443, serverName: 'service.invalid' };
const NO_ROOT = Uint8Array.of(0x30, 0);

/** Builds the OS for devices that live on this machine alone; the developer's key signs all of it. */
export function buildLocalRelease(key: DeveloperKey): Promise<OsRelease> {
  const uses = [
    ...SYSTEM_IMAGE_TYPES.map((type) => imageUse(IMAGE_TYPES[type])),
    imageUse(IMAGE_TYPES.Applications),
    'capability',
  ];
  return buildOsRelease({
    version: OS_VERSION,
    root: key,
    platform: key,
    keystore: { version: 1, keys: [{ spki: key.spki, uses }] },
    certStore: { endpoints: [NO_SERVICE], tlsRoots: [NO_ROOT] },
  });
}

/** What a local device is like. */
export interface LocalDeviceOptions {
  readonly release: OsRelease;
  /** Image packages that the developer's key signed. */
  readonly apps: readonly Uint8Array[];
  /** Virtual time in one thread; absent: the host's time, a thread for each layer and each app. */
  readonly clock?: VirtualClock;
  /** Folder of the app: its `board.json`, if there is one, says what hangs on the pins; else the virtual board. */
  readonly folder: string;
  /** Wi-Fi access points within reach of the board; default: none. */
  readonly accessPoints?: readonly AccessPoint[];
  /** The private network that the board's Ethernet is plugged into; absent: the machine's own. */
  readonly privateNetwork?: PrivateNetwork;
  /** Addresses of hosts by name; absent: the machine's own network. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** A virtual device in memory with apps installed, powered off. */
export async function makeLocalDevice({
  release,
  apps,
  clock,
  hosts,
  folder,
  accessPoints = [],
  privateNetwork,
}: LocalDeviceOptions): Promise<VirtualDevice> {
  const ownBoard = join(folder, 'board.json');
  const { chip, info } = manufactureInMemory({
    images: release.images,
    applications: apps,
    rootKeyHash: release.rootKeyHash,
  });
  return runDevice(chip, info, {
    ...(clock === undefined
      ? { wiring: 'thread', stageWorker: await bundleStageWorker() }
      : { wiring: 'inline', clock }),
    network: {
      accessPoints,
      ...(privateNetwork === undefined ? {} : { privateNetwork }),
      ...(hosts === undefined ? {} : { resolve: (host: string) => hosts[host] ?? null }),
    },
    board: existsSync(ownBoard) ? await readBoard(ownBoard) : await virtualBoard(),
  });
}

/** What an app says through `Log_Debug`, out of a line of the device's log; null for other lines. */
export function appLine(line: string, name: string): string | null {
  const prefix = `[KERNEL] app ${name}: `;
  return line.startsWith(prefix) ? line.slice(prefix.length) : null;
}

/*
 * What an app's tests import as 'sevenfold/test': the app on a virtual device with board models, on virtual time.
 * Documented in docs/sdk.md.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVirtualClock, runOnVirtualTime, type OsRelease } from '@sevenfold/device';
import { parseImagePackage } from '@sevenfold/formats';
import { PrivateNetwork, type AccessPoint } from '@sevenfold/os';
import { appsBeside, readProject } from '@sevenfold/sdk';
import { CliError } from '../errors.ts';
import { BoardModels } from './board-models.ts';
import { onCoreLine } from './core-lines.ts';
import { developerKey } from './developer-key.ts';
import { appLine, buildLocalRelease, makeLocalDevice } from './local-device.ts';

export type { PrivateNetwork, WireDatagram, WireEndpoint, WirePlug } from '@sevenfold/os';
export type { BoardModels, Button, Led, LedChange, Pin } from './board-models.ts';

/** How an app is started. */
export interface StartOptions {
  /** The app's folder, built by `sevenfold app test`; default: the one that is being tested. */
  readonly folder?: string;
  /** Hosts that the device can reach, by name: `{'api.test': '127.0.0.1'}`. Default: none. */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Wi-Fi access points within reach: `[{ssid: 'home', security: 'wpa2-psk', key: '…'}]`. Default: none. */
  readonly accessPoints?: readonly AccessPoint[];
  /**
   * A private network on the device's Ethernet, in place of the machine's: from then on the device reaches the world
   * by Wi-Fi alone, and apps listen for whoever is plugged in there.
   */
  readonly privateNetwork?: PrivateNetwork;
}

/** Time of the device: it stands still unless a test lets it pass. */
export interface AppClock {
  /** Milliseconds since the device was powered. */
  now(): number;
  /** Lets `milliseconds` pass; whatever becomes due happens at its own time, and is done when this resolves. */
  advance(milliseconds: number): Promise<void>;
}

/** What the app says through `Log_Debug`, and a real-time app on its core's debug UART. */
export interface AppLog {
  readonly lines: readonly string[];
  /** The first line that matches, said already or within so many ms of the device's time. Rejects with the log. */
  waitFor(pattern: RegExp, milliseconds?: number): Promise<string>;
}

/** An app that runs on a virtual device. `await using` ends the device with the test. */
export interface RunningApp extends AsyncDisposable {
  readonly clock: AppClock;
  readonly log: AppLog;
  readonly board: BoardModels;
  /** State and number of restarts, as the kernel has them. */
  state(): Promise<{ readonly state: string; readonly restarts: number }>;
}

/** Makes a switch into which devices (`privateNetwork`) and hosts of the test (`plug`) are plugged. */
export function createPrivateNetwork(): PrivateNetwork {
  return new PrivateNetwork();
}

const PATIENCE = 60_000;
const STEP = 10;
let release: Promise<OsRelease> | null = null;

/** The hardware definition and the image of an app that `sevenfold app test` has built. */
async function readBuilt(folder: string) {
  const project = await readProject(folder, process.env['SEVENFOLD_HARDWARE'] ?? null);
  const manifest: unknown = JSON.parse(new TextDecoder().decode(project.manifest));
  const name: unknown =
    typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'Name') : null;
  const path = join(folder, 'out', `${String(name)}.imagepackage`);
  try {
    return { image: new Uint8Array(await readFile(path)), hardware: project.hardware };
  } catch (cause) {
    throw new CliError('FileError', `There is no ${path}: run the tests with \`sevenfold app test\`.`, {
      cause,
    });
  }
}

/** Boots a virtual device with the app installed; resolves when the app has been started. */
export async function startApp(options: StartOptions = {}): Promise<RunningApp> {
  const folder = options.folder ?? process.cwd();
  const { image, hardware } = await readBuilt(folder);
  const { name } = parseImagePackage(image).fields;
  const beside: Uint8Array[] = [];
  for (const other of await appsBeside(folder)) beside.push((await readBuilt(other)).image);
  release ??= developerKey(process.env).then(buildLocalRelease);
  const clock = createVirtualClock();
  const device = await makeLocalDevice({
    release: await release,
    apps: [image, ...beside],
    clock,
    hosts: options.hosts ?? {},
    accessPoints: options.accessPoints ?? [],
    ...(options.privateNetwork === undefined ? {} : { privateNetwork: options.privateNetwork }),
    folder,
  });
  const lines: string[] = [];
  device.onLog((line) => {
    const said = appLine(line, name);
    if (said !== null) lines.push(said);
  });
  onCoreLine(device.chip.realTimeCores, (line) => lines.push(line));
  const board = new BoardModels(device, hardware);
  const outcome = await runOnVirtualTime(clock, device.boot());
  if (outcome.kind !== 'running') {
    await device.close();
    throw new CliError('NotProved', `The device did not boot:\n${device.bootLog.join('\n')}`);
  }
  await clock.advance(STEP);
  return {
    clock: { now: () => clock.monotonic(), advance: (milliseconds) => clock.advance(milliseconds) },
    log: {
      lines,
      async waitFor(pattern, milliseconds = PATIENCE) {
        const end = clock.monotonic() + milliseconds;
        for (;;) {
          const found = lines.find((line) => pattern.test(line));
          if (found !== undefined) return found;
          if (clock.monotonic() >= end) {
            const rest = device.bootLog.slice(-20).join('\n');
            throw new CliError(
              'NotProved',
              `No line ${String(pattern)} in ${milliseconds} ms. The device said:\n${rest}`,
            );
          }
          await clock.advance(STEP);
        }
      },
    },
    board,
    async state() {
      const { apps } = await runOnVirtualTime(clock, device.status());
      const [app] = apps;
      return { state: app?.state ?? 'absent', restarts: app?.restarts ?? 0 };
    },
    [Symbol.asyncDispose]: () => device.close(),
  };
}

import type { OsRelease, VirtualDevice } from '@sevenfold/device';
import { encodeDeviceCapability, encodeSign1 } from '@sevenfold/formats';
import { readProject, type BuiltApp } from '@sevenfold/sdk';
import { CliError } from '../errors.ts';
import type { Output } from '../narrator.ts';
import type { DeveloperKey } from './developer-key.ts';
import { describeCoreStack } from './core-stack.ts';
import { appLine, makeLocalDevice } from './local-device.ts';
import { PinTrace } from './pin-trace.ts';
import { shownPins, shownUarts, TerminalBoard } from './terminal-board.ts';

/** What runs, and who sees it. */
interface SessionOptions {
  readonly release: OsRelease;
  readonly app: BuiltApp;
  /** Other apps on the same device; default: none. */
  readonly beside?: readonly BuiltApp[];
  readonly folder: string;
  /** A hardware definition in place of the app's own; null: none. */
  readonly hardware: string | null;
  /** Where the app's lines, its LEDs and its UARTs go. */
  readonly output: Output;
  /** Whether what the app's pins do is recorded; default: no. */
  readonly isTraced?: boolean;
  /** Told of every line of the device that is not the app's own. */
  readonly onDeviceLine: (line: string, board: TerminalBoard) => void;
  /** The key that signs the device's capability `appDevelopment`, for debuggers; null: it stays locked. */
  readonly unlockedBy: DeveloperKey | null;
}

/** A device with one app on it, and its board on an output. */
export interface BoardSession {
  readonly device: VirtualDevice;
  readonly board: TerminalBoard;
  /** What the pins did; null: it was not asked for. */
  readonly trace: PinTrace | null;
}

/** Where a real-time app has failed, if that is what a line of the kernel says; else nothing. */
function stackAfter(line: string, device: VirtualDevice, apps: readonly BuiltApp[]): readonly string[] {
  const app = apps.find(
    ({ name, realTime }) => realTime !== null && line.startsWith(`[KERNEL] app ${name} trapped`),
  );
  const failure = device.chip.realTimeCores.find((core) => core.failure !== null)?.failure ?? null;
  return app === undefined || failure === null ? [] : describeCoreStack(failure, app.symbols);
}

/** Boots a local device with an app. Throws `NotProved` when it does not come up. */
export async function startBoardSession(options: SessionOptions): Promise<BoardSession> {
  const { release, app, folder, hardware, output, onDeviceLine, isTraced = false, beside = [] } = options;
  const device = await makeLocalDevice({
    release,
    apps: [app, ...beside].map(({ imagePackage }) => imagePackage),
    folder,
  });
  const { hardware: definition } = await readProject(folder, hardware);
  const pins = [app, ...beside].flatMap(({ imagePackage }) => shownPins(imagePackage, definition));
  const board = new TerminalBoard(output, device, pins, shownUarts(app.imagePackage));
  board.listenToCores();
  const trace = isTraced ? new PinTrace(app.name, device, pins) : null;
  // A core in a thread of its own tells of its pins when the thread gets round to it.
  if (isTraced) for (const core of device.chip.realTimeCores) core.mustRunHere = true;
  device.onLog((line) => {
    const said = appLine(line, app.name);
    if (said !== null) board.line(said);
    else onDeviceLine(line, board);
    for (const frame of stackAfter(line, device, [app, ...beside])) board.line(frame);
  });
  if (options.unlockedBy !== null) await unlock(device, options.unlockedBy);
  const outcome = await device.boot();
  if (outcome.kind !== 'running') {
    await device.close();
    throw new CliError('NotProved', `The device did not boot: ${device.bootLog.at(-1) ?? 'no log'}`);
  }
  return { device, board, trace };
}

/** Gives a device that is off the capability to be debugged, in force from its next boot on. */
async function unlock(device: VirtualDevice, key: DeveloperKey): Promise<void> {
  const payload = encodeDeviceCapability({
    deviceId: device.deviceId,
    capabilities: ['appDevelopment'],
    issuedAt: Math.floor(Date.now() / 1000),
  });
  const file = encodeSign1({ algorithm: 'ES256', keyId: key.thumbprint, payload });
  await device.boot();
  await device.gateway.call('setCapability', file.finish(await key.sign(file.toBeSigned)));
  await device.powerOff();
}

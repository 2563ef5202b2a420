import { watch } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { appsBeside, Toolchain, type BuiltApp } from '@sevenfold/sdk';
import { describeError } from '../errors.ts';
import { startBoardSession, type BoardSession } from './board-session.ts';
import { buildAndTell, type AppBuildOptions } from './build.ts';
import { developerKey } from './developer-key.ts';
import { serveGdb, type GdbServer } from './gdb-server.ts';
import { buildLocalRelease } from './local-device.ts';

/** How an app is run on this machine. */
export interface RunOptions extends AppBuildOptions {
  readonly process: NodeJS.Process;
  /** Folders of apps on the same device, beside those in the app's own. */
  readonly partners: readonly string[];
  /** Builds and runs anew whenever a file of the app changes. */
  readonly isWatching: boolean;
  /** Where a timing diagram of the app's pins goes at the end, as a value change dump; absent: nowhere. */
  readonly tracePath?: string;
  /** Every line of the device, not those of the app alone. */
  readonly isVerbose: boolean;
  /** Port of this machine where GDB finds the real-time core; null: nowhere. */
  readonly gdbPort: number | null;
}

/** Ms in which changes of several files count as one. */
const SETTLE = 50;
const OWN_FOLDERS = /^(?:out|node_modules|tests|\.[^/]*)(?:\/|$)/;
/** Ms after which a second Ctrl-C is one of its own: npx hands on what the terminal has told this process as well. */
const SAME_SIGNAL = 1000;
const CTRL_C = '\u0003';

/** Runs an app on a virtual device until Ctrl-C, and ends the device cleanly. */
export async function runApp(options: RunOptions): Promise<void> {
  const { process, folder, partners, isWatching, isVerbose, tracePath } = options;
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  stopOnSignals(process, stop);

  let session: BoardSession | null = null;
  const endSession = async (): Promise<void> => {
    const ending = session;
    session = null;
    ending?.board.end();
    await ending?.device.close();
    if (ending?.trace && tracePath !== undefined) await writeFile(tracePath, String(ending.trace));
  };
  await using toolchain = new Toolchain();
  const key = await developerKey(options.environment);
  const release = buildLocalRelease(key);
  const turn = async (): Promise<void> => {
    const began = performance.now();
    const app = await buildAndTell(options, toolchain);
    const beside: BuiltApp[] = [];
    for (const other of [...(await appsBeside(folder)), ...partners])
      beside.push(await buildAndTell({ ...options, folder: other }, toolchain));
    // While the device boots.
    if (isWatching) toolchain.warmUp();
    await endSession();
    const names = [app, ...beside].map(({ name }) => name);
    process.stderr.write(`built ${names.join(' and ')} in ${Math.round(performance.now() - began)} ms\n`);
    session = await startBoardSession({
      release: await release,
      app,
      beside,
      folder,
      hardware: options.hardware ?? null,
      output: process.stdout,
      isTraced: tracePath !== undefined,
      unlockedBy: options.gdbPort === null ? null : key,
      onDeviceLine: (line, board) => {
        if (isVerbose || names.some((name) => line.startsWith(`[KERNEL] app ${name} `))) board.line(line);
      },
    });
  };
  const tell = (line: string): void => void process.stderr.write(`${line}\n`);
  let gdb: GdbServer | null = null;
  const keys = listenToKeys(process, stop, (digit) => session?.board.key(digit));
  try {
    try {
      await turn();
    } catch (error) {
      if (!isWatching) throw error;
      process.stderr.write(`${describeError(error)}\n`);
    }
    if (options.gdbPort !== null) {
      gdb = await serveGdb(options.gdbPort, () => session?.device.chip ?? null, tell);
      tell(`gdb: target remote 127.0.0.1:${gdb.port}`);
    }
    if (isWatching) {
      await watchFolder(folder, stopped, async () => {
        // What does not build leaves the app of before running.
        await turn().catch((error: unknown) => process.stderr.write(`${describeError(error)}\n`));
      });
    } else await stopped;
  } finally {
    keys.end();
    await gdb?.close();
    await endSession();
  }
}

/** Calls `changed` once for changes that come together, never twice at a time, until `stopped`. */
async function watchFolder(
  folder: string,
  stopped: Promise<void>,
  changed: () => Promise<void>,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  const watcher = watch(folder, { recursive: true }, (_event, name) => {
    if (name === null || OWN_FOLDERS.test(name)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      work = work.then(changed);
    }, SETTLE);
  });
  await stopped;
  clearTimeout(timer);
  watcher.close();
  await work;
}

/** Stops at the first signal; who asks again is not kept waiting. */
function stopOnSignals(process: NodeJS.Process, stop: () => void): void {
  let first: number | null = null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      first ??= performance.now();
      if (performance.now() - first > SAME_SIGNAL) process.exit(130);
      stop();
    });
  }
}

/** Digits press buttons; Ctrl-C stops, since a terminal that hands over keys sends no signal. */
function listenToKeys(
  process: NodeJS.Process,
  stop: () => void,
  press: (digit: number) => void,
): { end(): void } {
  const { stdin } = process;
  if (!stdin.isTTY) return { end: () => undefined };
  const onKey = (key: string): void => {
    if (key === CTRL_C) stop();
    else if (/^[1-9]$/.test(key)) press(Number(key));
  };
  stdin.setRawMode(true).setEncoding('utf8').on('data', onKey).resume();
  return {
    end: () => {
      stdin.off('data', onKey).setRawMode(false).pause();
    },
  };
}

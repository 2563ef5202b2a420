import { type Port, type PortValue, type StageHandle } from '@sevenfold/formats';
import { isEnded } from './errno.ts';
import { FdTable } from './fd-table.ts';
import { GuestEvents } from './guest-events.ts';
import { GuestMemory } from './guest-memory.ts';
import { ImageDirectory, ImageTree } from './image-files.ts';
import { bindImports } from './imports.ts';
import { EmptyFile, LogFile } from './log-file.ts';
import { memoryState } from './memory-state.ts';
import { readStart } from './options.ts';
import { MOST_FRAMES, trapOf } from './trap.ts';
import { ProcessExit } from './wasi-process.ts';
import { engine } from './wasm-engine.ts';
import { Waker } from './waker.ts';

function port(handle: StageHandle, name: string): Port {
  const found = handle.ports[name];
  if (found === undefined) throw new TypeError(`A compartment needs the port ${name}.`);
  return found;
}

/** The memory that the module exports; the kernel has checked that there is one. */
function memoryOf(exported: unknown): { readonly buffer: ArrayBufferLike } {
  if (typeof exported !== 'object' || exported === null || !('buffer' in exported)) {
    throw new TypeError('The module exports no memory.');
  }
  return exported as { readonly buffer: ArrayBufferLike };
}

/** How an app ended, as the kernel is told. */
function endOf(error: unknown, memory: () => PortValue): { readonly [key: string]: PortValue } {
  if (error instanceof ProcessExit) return { kind: 'exit', exitCode: error.exitCode };
  const { trap, frames } = trapOf(error);
  return { kind: 'trap', trap, frames: frames.map((frame) => ({ ...frame })), memory: memory() };
}

/** Runs an app to its end and tells the kernel. */
async function run(
  main: () => Promise<unknown>,
  log: LogFile,
  kernel: Port,
  memory: () => PortValue,
): Promise<void> {
  try {
    await kernel.call('started');
    const end = await main().then(
      () => ({ kind: 'exit', exitCode: 0 }),
      (error: unknown) => {
        if (isEnded(error)) throw error;
        return endOf(error, memory);
      },
    );
    await log.flush();
    await kernel.call('exited', end);
  } catch (error) {
    // The kernel has ended the compartment meanwhile: there is nobody left to tell.
    if (!isEnded(error)) throw error;
  }
}

/**
 * The program beside every app: instantiates its module over this compartment's own file descriptors and clock,
 * answers what needs no privilege, asks the kernel for the rest, and reports how it ended.
 * Resolves as soon as the module is ready to run; rejects if the engine refuses it.
 */
export async function start(handle: StageHandle): Promise<void> {
  const kernel = port(handle, 'kernel');
  const { module, options } = readStart(await port(handle, 'hardware').call('module'));
  Error.stackTraceLimit = MOST_FRAMES;
  // At once and not in the background: this thread is the app's own, and virtual time knows nothing of backgrounds.
  const compiled = new engine.Module(module);

  let memory: { readonly buffer: ArrayBufferLike } | null = null;
  const fds = new FdTable();
  const log = new LogFile(kernel);
  const waker = new Waker(handle.clock);
  const guest = {
    memory: new GuestMemory({
      get buffer() {
        if (memory === null) throw new TypeError('The module called before it was instantiated.');
        return memory.buffer;
      },
    }),
    clock: handle.clock,
    kernel,
    options,
    fds,
    tree: new ImageTree([{ path: options.entryPoint, bytes: module }, ...options.files]),
    log,
    waker,
    events: new GuestEvents(kernel, waker),
  };
  // Descriptors 0 to 3: standard input, output and error, and the root of the image.
  for (const file of [new EmptyFile(), log, log, new ImageDirectory('')]) fds.add(file);

  const instance = new engine.Instance(compiled, bindImports(guest));
  memory = memoryOf(instance.exports['memory']);
  const entry = instance.exports['_start'];
  if (typeof entry !== 'function') throw new TypeError('The module exports no _start.');
  const main = engine.promising(entry as () => unknown);

  // An app may loop without ever waiting: it runs when the kernel has answered, so that the news that it is ready
  // has left this thread before.
  void run(main, log, kernel, () =>
    memoryState(instance.exports, memoryOf(instance.exports['memory']).buffer),
  );
}

import { basename, resolve } from 'node:path';
import {
  compiledName,
  DebugInfo,
  SdkError,
  sourcePath,
  formatDiagnostic,
  readProject,
  Toolchain,
  type BuiltApp,
} from '@sevenfold/sdk';
import type { OsRelease, VirtualDevice } from '@sevenfold/device';
import { CliError, describeError } from '../../errors.ts';
import { buildAndTell } from '../build.ts';
import { developerKey } from '../developer-key.ts';
import { buildLocalRelease } from '../local-device.ts';
import { startBoardSession } from '../board-session.ts';
import type { TerminalBoard } from '../terminal-board.ts';
import { Breakpoints } from './breakpoints.ts';
import type { DapRequest, DapWriter } from './dap-stream.ts';
import { Debuggee, type StepKind, type Stop } from './debuggee.ts';
import { Inspection } from './inspection.ts';
import { booleanOf, listOf, numberOf, recordOf, textOf } from './requests.ts';
import { WorkerInspector } from './worker-inspector.ts';

/** The app's one thread. */
const THREAD = 1;
/** `app NAME exited with 3` and `app NAME trapped: …`, as the kernel says it. */
const ENDED = /^\[KERNEL\] app (\S+) (?:exited with (\d+)|trapped: )/;
const PRESS = /^press ([1-9])$/;
const STEPS: Readonly<Record<string, StepKind>> = { next: 'over', stepIn: 'into', stepOut: 'out' };

/** What `initialize` promises (Debug Adapter Protocol, Capabilities). */
const CAPABILITIES = {
  supportsConfigurationDoneRequest: true,
  supportsConditionalBreakpoints: true,
  supportsEvaluateForHovers: true,
  supportsSetVariable: true,
  supportsExceptionInfoRequest: true,
  supportsTerminateRequest: true,
} as const;

interface Launched {
  readonly app: BuiltApp;
  readonly info: DebugInfo;
  readonly folder: string;
  readonly hardware: string | null;
  /** Where `main` begins, if it is to stop there; null: it is not. */
  readonly entry: number | null;
  readonly breakpoints: Breakpoints;
  readonly release: OsRelease;
}

/** One debugging session: answers an editor's requests, one after the other. */
export class DebugAdapter {
  readonly #writer: DapWriter;
  readonly #environment: NodeJS.ProcessEnv;
  #launched: Launched | null = null;
  #device: VirtualDevice | null = null;
  #board: TerminalBoard | null = null;
  #inspector: WorkerInspector | null = null;
  #debuggee: Debuggee | null = null;
  #inspection: Inspection | null = null;
  #isOver = false;

  constructor(writer: DapWriter, environment: NodeJS.ProcessEnv) {
    this.#writer = writer;
    this.#environment = environment;
  }

  /** Answers one request; false: it was the last. */
  async handle(request: DapRequest): Promise<boolean> {
    try {
      const body = await this.#answer(request);
      this.#writer.answer(request, body);
      if (request.command === 'initialize') return true;
      if (request.command === 'launch') this.#writer.event('initialized');
      if (request.command === 'terminate') this.#over();
    } catch (error) {
      this.#writer.refuse(request, describeError(error));
    }
    return request.command !== 'disconnect';
  }

  async #answer({ command, untrustedArguments: given }: DapRequest): Promise<object> {
    switch (command) {
      case 'initialize':
        return CAPABILITIES;
      case 'launch':
        return this.#launch(given);
      case 'setBreakpoints':
        return this.#setBreakpoints(given);
      case 'configurationDone':
        return this.#start();
      case 'threads':
        return { threads: [{ id: THREAD, name: this.#launched?.app.name ?? 'app' }] };
      case 'stackTrace':
        return this.#stackTrace(given);
      case 'scopes':
        return { scopes: this.#stopped().scopes(numberOf(given, 'frameId')) };
      case 'variables':
        return { variables: await this.#stopped().variables(numberOf(given, 'variablesReference')) };
      case 'setVariable':
        return this.#stopped().assign(
          numberOf(given, 'variablesReference'),
          textOf(given, 'name'),
          textOf(given, 'value'),
        );
      case 'evaluate':
        return this.#evaluate(given);
      case 'exceptionInfo': {
        const { trap } = this.#stopped().stop;
        return { exceptionId: trap ?? 'none', description: trap ?? '', breakMode: 'always' };
      }
      case 'continue':
        await this.#go((debuggee) => debuggee.resume());
        return { allThreadsContinued: true };
      case 'next':
      case 'stepIn':
      case 'stepOut': {
        const address = this.#stopped().frame(1).address;
        await this.#go((debuggee) => debuggee.step(STEPS[command] ?? 'over', address));
        return {};
      }
      case 'pause':
        if (this.#inspection === null) await this.#debuggee?.pause();
        return {};
      case 'terminate':
      case 'disconnect':
        await this.close();
        return {};
      // There are no filters: a trap always stops.
      case 'setExceptionBreakpoints':
        return {};
      default:
        throw new CliError('NotFound', `This debugger does not know ${command}.`);
    }
  }

  /** Builds the app of a folder. What the compiler says goes to the console. */
  async #launch(given: Readonly<Record<string, unknown>>): Promise<object> {
    const folder = resolve(textOf(given, 'program'));
    const hardware = typeof given['hardware'] === 'string' ? given['hardware'] : null;
    const { language } = await readProject(folder, hardware);
    if (language !== null) {
      throw new CliError('BadValue', `This debugger is for apps in C and C++, not in ${language}.`, {
        field: 'program',
      });
    }
    await using toolchain = new Toolchain();
    let app: BuiltApp;
    let release: OsRelease;
    try {
      // The OS is bundled in this process, the app compiled in another.
      const building = developerKey(this.#environment).then(buildLocalRelease);
      building.catch(() => undefined);
      app = await buildAndTell(
        {
          folder,
          ...(hardware === null ? {} : { hardware }),
          defines: Object.fromEntries(
            Object.entries(recordOf(given, 'defines')).map(([name, value]) => [name, String(value)]),
          ),
          isForDebugger: !booleanOf(given, 'optimized'),
          environment: this.#environment,
          messages: { write: (text: string) => this.#writer.output('stderr', text) },
        },
        toolchain,
      );
      release = await building;
    } catch (error) {
      // The first message in the editor's box: all of them are in its console.
      const [first] =
        error instanceof SdkError ? error.diagnostics.filter(({ severity }) => severity === 'error') : [];
      throw first === undefined || !(error instanceof SdkError)
        ? error
        : new SdkError(error.code, formatDiagnostic(first));
    }
    if (app.realTime !== null)
      throw new CliError('BadValue', 'This debugger is for high-level apps.', { field: 'program' });
    const info = new DebugInfo(app.debugModule, app.executable);
    this.#launched = {
      release,
      app,
      info,
      folder,
      hardware,
      entry: booleanOf(given, 'stopOnEntry') ? info.mainAddress : null,
      breakpoints: new Breakpoints(info, (path) => compiledName(folder, path)),
    };
    return {};
  }

  #requireLaunched(): Launched {
    if (this.#launched === null) throw new CliError('NotFound', 'Nothing has been launched.');
    return this.#launched;
  }

  async #setBreakpoints(given: Readonly<Record<string, unknown>>): Promise<object> {
    const { breakpoints } = this.#requireLaunched();
    const path = textOf(recordOf(given, 'source'), 'path');
    const answered = breakpoints.set(path, listOf(given, 'breakpoints'));
    await this.#debuggee?.stopAt(this.#stops());
    return { breakpoints: answered };
  }

  #stops(): readonly number[] {
    const { breakpoints, entry } = this.#requireLaunched();
    return [...breakpoints.addresses, ...(entry === null ? [] : [entry])];
  }

  /** Boots a device with the app on it, its thread under the inspector before it runs anything. */
  async #start(): Promise<object> {
    const { app, folder, hardware, release } = this.#requireLaunched();
    this.#inspector = new WorkerInspector('compartment', async (thread) => {
      const { info } = this.#requireLaunched();
      const debuggee = new Debuggee(thread, info, (stop) => void this.#stoppedAt(stop));
      this.#debuggee = debuggee;
      thread.onEnd = () => {
        if (this.#debuggee === debuggee) this.#debuggee = null;
        this.#inspection = null;
      };
      await debuggee.begin(this.#stops());
    });
    const { device, board } = await startBoardSession({
      release,
      app,
      folder,
      hardware,
      unlockedBy: null,
      output: { write: (text: string) => this.#writer.output('stdout', text) },
      onDeviceLine: (line) => this.#heard(line),
    });
    this.#device = device;
    this.#board = board;
    return {};
  }

  /** A line of the device that is not the app's own. */
  #heard(line: string): void {
    const { app } = this.#requireLaunched();
    const [, name, code] = ENDED.exec(line) ?? [];
    if (line.startsWith(`[KERNEL] app ${app.name} `)) this.#writer.output('console', `${line}\n`);
    if (name !== app.name) return;
    this.#writer.event('exited', { exitCode: Number(code ?? 1) });
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#writer.event('terminated');
  }

  async #stoppedAt(stop: Stop): Promise<void> {
    const { info, breakpoints } = this.#requireLaunched();
    const inspection = new Inspection(stop, info);
    const condition = stop.breakpoint === null ? null : breakpoints.conditionAt(stop.breakpoint);
    if (condition !== null) {
      // A condition that cannot be told stops: its user sees why.
      const holds = await inspection.holds(condition).catch((error: unknown) => {
        this.#writer.output('console', `${condition}: ${describeError(error)}\n`);
        return true;
      });
      if (!holds) return this.#debuggee?.resume();
    }
    this.#inspection = inspection;
    // Its watchdog waits as long as the editor's user does.
    await this.#device?.holdApps(true);
    const { trap } = stop;
    const isEntry = stop.breakpoint !== null && stop.breakpoint === this.#requireLaunched().entry;
    const reason = isEntry ? 'entry' : stop.reason;
    this.#writer.event('stopped', {
      reason,
      threadId: THREAD,
      allThreadsStopped: true,
      ...(trap === null ? {} : { description: `Trapped: ${trap}`, text: trap }),
    });
  }

  #stopped(): Inspection {
    if (this.#inspection === null) throw new CliError('NotFound', 'The app is running.');
    return this.#inspection;
  }

  async #go(how: (debuggee: Debuggee) => Promise<void>): Promise<void> {
    this.#stopped();
    this.#inspection = null;
    await this.#device?.holdApps(false);
    if (this.#debuggee !== null) await how(this.#debuggee);
  }

  #stackTrace(given: Readonly<Record<string, unknown>>): object {
    const { folder } = this.#requireLaunched();
    const { frames } = this.#stopped().stop;
    const first = typeof given['startFrame'] === 'number' ? given['startFrame'] : 0;
    const levels =
      typeof given['levels'] === 'number' && given['levels'] > 0 ? given['levels'] : frames.length;
    const shown = frames.slice(first, first + levels).map(({ name, file, line }, at) => {
      const path = sourcePath(folder, file);
      return {
        id: first + at + 1,
        name: name === '' ? '<unknown>' : name,
        line,
        column: 1,
        ...(path === null ? { presentationHint: 'subtle' } : { source: { name: basename(path), path } }),
      };
    });
    return { stackFrames: shown, totalFrames: frames.length };
  }

  async #evaluate(given: Readonly<Record<string, unknown>>): Promise<object> {
    const expression = textOf(given, 'expression').trim();
    const [, button] = PRESS.exec(expression) ?? [];
    if (given['context'] === 'repl' && button !== undefined) {
      const pressed = this.#board?.key(Number(button)) === true;
      return { result: pressed ? 'pressed' : `There is no button ${button}.`, variablesReference: 0 };
    }
    const frameId = typeof given['frameId'] === 'number' ? given['frameId'] : 1;
    return this.#stopped().evaluate(expression, frameId);
  }

  /** Ends the device, whatever the app does. */
  async close(): Promise<void> {
    this.#inspection = null;
    await this.#debuggee?.letGo();
    this.#debuggee = null;
    this.#board?.end();
    const device = this.#device;
    this.#device = null;
    this.#inspector?.close();
    this.#inspector = null;
    await device?.close();
  }
}

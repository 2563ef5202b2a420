import type { Debugger, Runtime } from 'node:inspector';
import type { DebugInfo, DebugMemory, FrameReader, SourceFrame } from '@sevenfold/sdk';
import type { InspectedThread, InspectorValue } from './worker-inspector.ts';

/** A frame of the source on the stack of a stopped app. */
export interface StoppedFrame extends SourceFrame {
  /** From the start of the code section. */
  readonly address: number;
  readonly reader: FrameReader;
}

/** Why an app stands still. */
type StopReason = 'breakpoint' | 'step' | 'pause' | 'exception';

/** An app that stands still. */
export interface Stop {
  readonly reason: StopReason;
  /** What trapped, in words; null: nothing. */
  readonly trap: string | null;
  /** Innermost first. */
  readonly frames: readonly StoppedFrame[];
  readonly memory: DebugMemory & {
    /** Whether all bytes are in memory and were written. */
    write(address: number, bytes: Uint8Array): Promise<boolean>;
  };
  /** Address of the breakpoint; null: it stopped for another reason. */
  readonly breakpoint: number | null;
}

export type StepKind = 'over' | 'into' | 'out';

/** Functions that the compiler's checks call, what the check found, and the one that gives up by itself. */
const CHECKS: readonly (readonly [RegExp, string])[] = [
  [/^__ubsan_handle_type_mismatch/, 'null pointer'],
  [/^__ubsan_handle_out_of_bounds/, 'index out of bounds'],
  [/^__ubsan_handle_missing_return/, 'end of a function without its return'],
  [/^__ubsan_handle_builtin_unreachable/, 'unreachable code'],
  [/^__ubsan_handle_vla_bound/, 'array without a length'],
  [/^abort$/, 'abort'],
];
/** The compartment's own program, and its function that a trap is brought to. */
const PROGRAM = 'compartment.js';
const TRAP_FUNCTION = 'trapOf';
/** Node's declarations lack this reason. */
const INSTRUMENTATION: string = 'instrumentation';
/** What V8 calls an exception that it stops at: the second where a promise will be rejected with it. */
const THROWN: readonly string[] = ['exception', 'promiseRejection'];
/** What a trap is to JavaScript (WebAssembly JavaScript Interface §5.1 and §6). */
const TRAP_ERRORS: readonly string[] = ['RuntimeError', 'RangeError'];
/**
 * Evaluated in the thread before its program: from then on whatever wakes it up runs promises from Node's function for
 * ticks. V8 stops for an exception only above a function of JavaScript, and without this one there is none below an app
 * that has waited once.
 */
const RESUME_FROM_TICKS = `{
  const { createHook } = process.getBuiltinModule('node:async_hooks');
  const { nextTick } = process;
  let isScheduled = false;
  const done = () => { isScheduled = false; };
  createHook({
    before() {
      if (isScheduled) return;
      isScheduled = true;
      nextTick(done);
    },
    trackPromises: false,
  }).enable();
}`;
const TRAP_FRAME = /wasm-function\[\d{1,9}\]:0x([0-9a-f]{1,8})\)?$/;
/** Scripts that are no WebAssembly: stepping passes over them. */
const HOST_SCRIPTS = '^(?!wasm://)';
const PAGE = 256;
/** Ms between requests to pause. */
const PAUSE_PERIOD = 50;

const NO_FRAME: FrameReader = { local: async () => null, global: async () => null };

/** One compartment's thread as a debugger drives it: by V8's inspector, in addresses of the app's code. */
export class Debuggee {
  readonly #thread: InspectedThread;
  readonly #info: DebugInfo;
  readonly #onStop: (stop: Stop) => void;
  /** V8's ids of breakpoints by address; null: not set yet, or V8 has no place for it. */
  readonly #breakpoints = new Map<number, string | null>();
  readonly #checks = new Map<number, string>();
  #wasm: string | null = null;
  #step: StepKind | 'pause' | null = null;
  /** It has been stopped where it failed: the rest is its end. */
  #hasFailed = false;

  constructor(thread: InspectedThread, info: DebugInfo, onStop: (stop: Stop) => void) {
    this.#thread = thread;
    this.#info = info;
    this.#onStop = onStop;
    for (const [name, what] of CHECKS) {
      for (const address of info.functionsNamed(name)) this.#checks.set(address, what);
    }
    thread.onEvent = (method, params) => {
      // The thread may end under every call: then there is nothing more to be done.
      void this.#onEvent(method, params).catch(() => undefined);
    };
  }

  /** Takes hold of the thread before it runs anything, and lets it run with breakpoints at `addresses`. */
  async begin(addresses: readonly number[]): Promise<void> {
    for (const address of addresses) this.#breakpoints.set(address, null);
    await this.#thread.post('Debugger.enable');
    await this.#thread.post('Runtime.evaluate', { expression: RESUME_FROM_TICKS });
    await this.#thread.post('Debugger.setPauseOnExceptions', { state: 'all' });
    await this.#thread.post('Debugger.setBlackboxPatterns', {
      patterns: [HOST_SCRIPTS],
      skipAnonymous: true,
    });
    await this.#thread.post('Debugger.setInstrumentationBreakpoint', {
      instrumentation: 'beforeScriptExecution',
    });
    await this.#thread.post('Runtime.runIfWaitingForDebugger');
  }

  /** From now on it stops at these addresses and at no others. */
  async stopAt(addresses: readonly number[]): Promise<void> {
    for (const [address, id] of this.#breakpoints) {
      if (addresses.includes(address)) continue;
      this.#breakpoints.delete(address);
      if (id !== null) await this.#thread.post('Debugger.removeBreakpoint', { breakpointId: id });
    }
    for (const address of addresses) {
      if (this.#breakpoints.has(address)) continue;
      this.#breakpoints.set(address, null);
      if (this.#wasm !== null) await this.#setBreakpoint(address);
    }
  }

  async #setBreakpoint(address: number): Promise<void> {
    const set = await this.#thread.post('Debugger.setBreakpoint', { location: this.#location(address) });
    if (this.#breakpoints.has(address)) this.#breakpoints.set(address, String(set['breakpointId']));
  }

  #location(address: number): Debugger.Location {
    return { scriptId: this.#wasm ?? '', lineNumber: 0, columnNumber: address + this.#info.codeStart };
  }

  async resume(): Promise<void> {
    this.#step = null;
    await this.#thread.post('Debugger.resume');
  }

  /** Lets it run and stop nowhere any more: a thread that stands still cannot be ended. */
  async letGo(): Promise<void> {
    this.#step = null;
    // It may run, or have ended, already.
    const tolerate = (): undefined => undefined;
    await this.#thread.post('Debugger.setBreakpointsActive', { active: false }).catch(tolerate);
    await this.#thread.post('Debugger.setPauseOnExceptions', { state: 'none' }).catch(tolerate);
    await this.#thread.post('Debugger.resume').catch(tolerate);
  }

  /** Stops it where its own code runs next: an app that waits is stopped when it wakes up. */
  async pause(): Promise<void> {
    this.#step = 'pause';
    await this.#thread.post('Debugger.pause');
    // V8 forgets what it is asked while it passes over a script of the host's.
    const again = setInterval(() => {
      if (this.#step !== 'pause') clearInterval(again);
      else this.#thread.post('Debugger.pause').catch(() => clearInterval(again));
    }, PAUSE_PERIOD);
  }

  /** One line on, from a frame's address. */
  async step(kind: StepKind, address: number): Promise<void> {
    this.#step = kind;
    if (kind === 'out') {
      await this.#thread.post('Debugger.stepOut');
      return;
    }
    await this.#stepOff(kind, this.#info.lineRanges(address));
  }

  async #stepOff(
    kind: 'over' | 'into',
    ranges: readonly { readonly low: number; readonly high: number }[],
  ): Promise<void> {
    const skipList = ranges.map(({ low, high }) => ({
      scriptId: this.#wasm,
      start: this.#place(low),
      end: this.#place(high),
    }));
    await this.#thread.post(kind === 'into' ? 'Debugger.stepInto' : 'Debugger.stepOver', { skipList });
  }

  #place(address: number): { readonly lineNumber: number; readonly columnNumber: number } {
    return { lineNumber: 0, columnNumber: address + this.#info.codeStart };
  }

  async #onEvent(method: string, params: InspectorValue): Promise<void> {
    if (method === 'Debugger.scriptParsed') {
      if (params['scriptLanguage'] === 'WebAssembly') this.#wasm = String(params['scriptId']);
      else if (params['url'] === PROGRAM) await this.#watchTraps(String(params['scriptId']));
    }
    if (method !== 'Debugger.paused') return;
    // V8's own words: what the protocol says.
    const paused = params as unknown as Debugger.PausedEventDataType;
    if (paused.callFrames[0]?.functionName === TRAP_FUNCTION && this.#wasm !== null)
      await this.#trapped(paused);
    else if (paused.reason === INSTRUMENTATION && this.#wasm !== null) await this.#prepare();
    else if (THROWN.includes(paused.reason)) await this.#thrown(paused);
    else await this.#paused(paused);
  }

  /** The module is about to run: now its places are known to V8. Other scripts are passed over. */
  async #prepare(): Promise<void> {
    for (const address of this.#breakpoints.keys()) await this.#setBreakpoint(address);
    for (const [address, what] of this.#checks) {
      const set = await this.#thread.post('Debugger.setBreakpoint', { location: this.#location(address) });
      this.#checkIds.set(String(set['breakpointId']), what);
    }
    await this.#thread.post('Debugger.resume');
  }

  readonly #checkIds = new Map<string, string>();

  /** What the program beside the app does with a trap: the last place to stop at for what V8 has not told. */
  async #watchTraps(scriptId: string): Promise<void> {
    const { scriptSource } = await this.#thread.post('Debugger.getScriptSource', { scriptId });
    const before =
      String(scriptSource).split(new RegExp(`(?<=function ${TRAP_FUNCTION}\\([^)]*\\)\\s*\\{)`))[0] ?? '';
    const lines = before.split('\n');
    await this.#thread.post('Debugger.setBreakpoint', {
      location: { scriptId, lineNumber: lines.length - 1, columnNumber: lines.at(-1)?.length ?? 0 },
    });
  }

  async #paused(paused: Debugger.PausedEventDataType): Promise<void> {
    const [top] = paused.callFrames;
    const address = top === undefined ? null : this.#addressOf(top);
    const ids = paused.hitBreakpoints ?? [];
    const check = ids.map((id) => this.#checkIds.get(id)).find((what) => what !== undefined);
    const breakpoint = [...this.#breakpoints].find(([, id]) => id !== null && ids.includes(id))?.[0] ?? null;
    const step = this.#step;
    if (address === null) return this.#passOver();
    if (check === undefined && breakpoint === null) {
      if (step === null) return void (await this.#thread.post('Debugger.resume'));
      if (await this.#stepOn(step, address)) return;
    }
    this.#step = null;
    if (check !== undefined) this.#hasFailed = true;
    const frames = this.#framesOf(paused.callFrames);
    this.#onStop({
      reason:
        check !== undefined
          ? 'exception'
          : breakpoint !== null
            ? 'breakpoint'
            : step === 'pause'
              ? 'pause'
              : 'step',
      trap: check ?? null,
      // Whoever is stopped by a check wants to see where it was made.
      frames: check === undefined ? frames : frames.slice(1),
      memory: await this.#memoryOf(top),
      breakpoint,
    });
  }

  /** Somewhere in the program beside the app: on until its own code runs. */
  async #passOver(): Promise<void> {
    const step = this.#step;
    await this.#thread.post(
      step === 'pause' ? 'Debugger.stepInto' : step === null ? 'Debugger.resume' : 'Debugger.stepOut',
    );
  }

  /** Stops at a trap, with the app's frames as they are; whatever else is thrown concerns the program beside it. */
  async #thrown(paused: Debugger.PausedEventDataType): Promise<void> {
    const [top] = paused.callFrames;
    const frames = this.#framesOf(paused.callFrames);
    // V8's own words: what the protocol says.
    const error = paused.data as unknown as Runtime.RemoteObject | undefined;
    const isTrap = TRAP_ERRORS.includes(error?.className ?? '');
    if (top === undefined || this.#addressOf(top) === null || !isTrap || this.#hasFailed)
      return this.#passOver();
    this.#step = null;
    this.#hasFailed = true;
    this.#onStop({
      reason: 'exception',
      trap: /^\w+: (.*)/.exec(error?.description ?? '')?.[1] ?? 'unknown trap',
      frames,
      memory: await this.#memoryOf(top),
      breakpoint: null,
    });
  }

  /** Goes on where a step may not end: in code without lines, or before a function's parameters are in place. */
  async #stepOn(step: StepKind | 'pause', address: number): Promise<boolean> {
    const row = this.#info.rowAt(address);
    const found = this.#info.functionAt(address);
    if (row === null || found === null) {
      await this.#thread.post('Debugger.stepOut');
      return true;
    }
    const body = this.#info.bodyOf(found);
    if (address >= body) {
      if (row.line !== 0) return false;
      await this.#stepOff('over', this.#info.lineRanges(address));
      return true;
    }
    await this.#stepOff(step === 'into' ? 'into' : 'over', [{ low: found.low, high: body }]);
    return true;
  }

  #addressOf({ location }: Debugger.CallFrame): number | null {
    return location.scriptId === this.#wasm ? (location.columnNumber ?? 0) - this.#info.codeStart : null;
  }

  #framesOf(callFrames: readonly Debugger.CallFrame[]): readonly StoppedFrame[] {
    return callFrames.flatMap((callFrame) => {
      const address = this.#addressOf(callFrame);
      if (address === null) return [];
      const reader = this.#readerOf(callFrame.callFrameId);
      return this.#info.framesAt(address).map((frame) => ({ ...frame, address, reader }));
    });
  }

  #readerOf(callFrameId: string): FrameReader {
    const read = async (expression: string): Promise<number | bigint | null> => {
      const { result } = await this.#thread.post('Debugger.evaluateOnCallFrame', { callFrameId, expression });
      // V8's own words: what the protocol says.
      const { type, value, unserializableValue } = result as Runtime.RemoteObject;
      if (type === 'bigint') return BigInt((unserializableValue ?? '0n').slice(0, -1));
      return typeof value === 'number' ? value : null;
    };
    return {
      local: (index) => read(`locals[${index}].value`),
      global: (index) => read(`globals[${index}].value`),
    };
  }

  /**
   * A trap that V8 does not stop at, which is a stack that has run over: the frames are those of the error, whose
   * variables are gone; memory is as it was.
   */
  async #trapped(paused: Debugger.PausedEventDataType): Promise<void> {
    const callFrameId = paused.callFrames[0]?.callFrameId ?? '';
    const ask = async (expression: string): Promise<Runtime.RemoteObject> =>
      // V8's own words: what the protocol says.
      (await this.#thread.post('Debugger.evaluateOnCallFrame', { callFrameId, expression }))[
        'result'
      ] as Runtime.RemoteObject;
    const stack = String((await ask('arguments[0].stack')).value);
    const name = String((await ask('arguments[0].constructor.name')).value);
    const message = String((await ask('arguments[0].message')).value);
    const frames = stack.split('\n').flatMap((line) => {
      const [, offset] = TRAP_FRAME.exec(line) ?? [];
      if (offset === undefined) return [];
      const address = Number.parseInt(offset, 16) - this.#info.codeStart;
      return this.#info.framesAt(address).map((frame) => ({ ...frame, address, reader: NO_FRAME }));
    });
    // What a check found was stopped at when it found it.
    if (name === 'CheckFailed' || frames.length === 0 || this.#hasFailed)
      return void (await this.#thread.post('Debugger.resume'));
    const { objectId: prototypeObjectId } = await ask('WebAssembly.Memory.prototype');
    const { objects } = await this.#thread.post('Runtime.queryObjects', { prototypeObjectId });
    const { result } = await this.#thread.post('Runtime.callFunctionOn', {
      objectId: (objects as Runtime.RemoteObject).objectId,
      functionDeclaration: 'function () { return this[0]; }',
    });
    this.#step = null;
    this.#onStop({
      reason: 'exception',
      trap: message,
      frames,
      memory: this.#memory((result as Runtime.RemoteObject).objectId ?? ''),
      breakpoint: null,
    });
  }

  async #memoryOf(top: Debugger.CallFrame | undefined): Promise<Stop['memory']> {
    const { result } = await this.#thread.post('Debugger.evaluateOnCallFrame', {
      callFrameId: top?.callFrameId ?? '',
      expression: 'memories[0]',
    });
    return this.#memory((result as Runtime.RemoteObject).objectId ?? '');
  }

  /** Linear memory, read in pages: an expanded structure asks for many small pieces. */
  #memory(objectId: string): Stop['memory'] {
    const call = async (declaration: string, ...args: readonly (number | string)[]): Promise<unknown> => {
      const { result } = await this.#thread.post('Runtime.callFunctionOn', {
        objectId,
        functionDeclaration: declaration,
        arguments: args.map((value) => ({ value })),
        returnByValue: true,
      });
      return (result as Runtime.RemoteObject).value;
    };
    const pages = new Map<number, Promise<Uint8Array>>();
    const page = (number: number): Promise<Uint8Array> => {
      const present = pages.get(number);
      if (present !== undefined) return present;
      const read = call(
        'function (at, length) { const { buffer } = this; return at >= buffer.byteLength ? "" : new Uint8Array(buffer, at, Math.min(length, buffer.byteLength - at)).toHex(); }',
        number * PAGE,
        PAGE,
      ).then((hex) => new Uint8Array(Buffer.from(String(hex), 'hex')));
      pages.set(number, read);
      return read;
    };
    return {
      async read(address, length) {
        const bytes = new Uint8Array(length);
        for (let at = 0; at < length;) {
          const place = address + at;
          const from = await page(Math.floor(place / PAGE));
          const part = from.subarray(place % PAGE, (place % PAGE) + length - at);
          if (part.length === 0) return null;
          bytes.set(part, at);
          at += part.length;
        }
        return bytes;
      },
      async write(address, bytes) {
        pages.clear();
        const written = await call(
          'function (at, hex) { const bytes = Uint8Array.fromHex(hex); if (at + bytes.length > this.buffer.byteLength) return false; new Uint8Array(this.buffer).set(bytes, at); return true; }',
          address,
          Buffer.from(bytes).toString('hex'),
        );
        return written === true;
      },
    };
  }
}

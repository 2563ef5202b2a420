import vm from 'node:vm';
import { type PortValue, type Problem, type StageName } from '@sevenfold/formats';
import { BoardError, describeFailure, problemToError } from './board-error.ts';
import { MEMBRANE_SOURCE } from './membrane-source.ts';
import { copyArguments, copyPlainData, weightOf } from './plain-data.ts';

/** What the host does for a stage. */
export interface RealmHost {
  now(): number;
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  readonly log: (line: string) => void;
  call(port: string, method: string, args: readonly PortValue[]): Promise<PortValue>;
}

/** A stage bundle in a realm of its own. */
export interface Realm {
  /** Runs the bundle and its `start`. Rejects with `StageRefused` or `StageFailed`. */
  start(): Promise<void>;
  /** Calls the stage's handler. Rejects with the handler's error, or `StageStopped` after `stop`. */
  call(caller: string, method: string, args: readonly PortValue[]): Promise<PortValue>;
  /** From now on nothing of what the stage does reaches the host, and nothing that it waits for happens. */
  stop(): void;
}

type Done = (isAnswer: boolean, value: unknown) => void;
interface Inside {
  /** What can be told of something that was thrown inside; the host hands it back without looking at it. */
  describe(thrown: unknown): unknown;
  start(done: Done): void;
  call(caller: string, method: string, args: readonly PortValue[], done: Done): void;
}
type Connect = (
  call: (
    port: string,
    method: string,
    args: unknown,
    done: (isAnswer: boolean, value: unknown) => void,
  ) => void,
  sleep: (milliseconds: number, done: () => void) => void,
  now: () => number,
  monotonic: () => number,
  log: (line: string) => void,
  ports: readonly string[],
  mayCompile: boolean,
) => Inside;

const membrane = new vm.Script(MEMBRANE_SOURCE, { filename: 'membrane' });

/** Calls that a stage may have waiting for their answer: no stage of ours has a hundred. */
const MOST_CALLS = 1024;
/** Bytes in the arguments of these calls, all together: what waits is kept by whoever is called. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Compiled bundles, the newest few: a device boots the same ones again and again. */
const compiled = new Map<string, vm.Script>();
const MOST_COMPILED = 24;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(stage: StageName, bundle: Uint8Array): string {
  try {
    return utf8.decode(bundle);
  } catch {
    throw new BoardError('StageRefused', `The bundle of ${stage} is no text in UTF-8.`, { rule: 'UTF-8' });
  }
}

function compile(stage: StageName, source: string): vm.Script {
  const present = compiled.get(source);
  if (present !== undefined) return present;
  // An import, static or dynamic, needs this very word: keywords cannot be escaped, and no code comes from texts.
  // Node answers a dynamic import with objects of the host, so the word must not be there at all.
  if (/\bimport\b/.test(source)) {
    throw new BoardError(
      'StageRefused',
      `The bundle of ${stage} holds the word "import": a stage imports nothing.`,
      {
        rule: 'no imports',
      },
    );
  }
  let script: vm.Script;
  try {
    script = new vm.Script(source, { filename: `${stage}.js` });
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown';
    throw new BoardError('StageRefused', `The bundle of ${stage} is no script: ${why}.`);
  }
  const oldest = compiled.keys().next();
  if (compiled.size >= MOST_COMPILED && oldest.done !== true) compiled.delete(oldest.value);
  compiled.set(source, script);
  return script;
}

/** What the membrane says of an error inside: a problem of our vocabulary, or `Internal` with a detail for the log. */
function problemFrom(inside: unknown, log: (line: string) => void): Problem {
  const { code, message, field, rule, detail } = copyPlainData(inside) as Readonly<Record<string, PortValue>>;
  const { problem } = describeFailure({ code, message, field: field ?? undefined, rule: rule ?? undefined });
  if (problem.code === 'Internal' && code !== 'Internal')
    log(`internal error: ${typeof detail === 'string' ? detail : 'without detail'}`);
  return problem;
}

/**
 * Makes a realm for a stage: a V8 context without anything of Node's, where texts cannot become code, and with
 * WebAssembly in compartments only. Throws `StageRefused` for a bundle that may not run.
 */
export function createRealm(
  stage: StageName,
  bundle: Uint8Array,
  ports: readonly string[],
  host: RealmHost,
): Realm {
  const mayCompile = stage === 'compartment';
  const script = compile(stage, decode(stage, bundle));
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY, {
    codeGeneration: { strings: false, wasm: mayCompile },
  });
  const waiting = new Set<(error: BoardError) => void>();
  let isStopped = false;

  let underWay = 0;
  let bytesUnderWay = 0;
  const onCall: Parameters<Connect>[0] = (port, method, untrusted, done) => {
    if (isStopped) return;
    const args = underWay < MOST_CALLS ? copyArguments(untrusted as readonly unknown[]) : null;
    const weight = args === null ? 0 : weightOf(args);
    if (args === null || bytesUnderWay + weight > MOST_BYTES) {
      const rule = `at most ${MOST_CALLS} at a time, and ${MOST_BYTES} bytes`;
      attempt(() =>
        done(false, { code: 'TooManyCalls', message: `${stage} has too many calls waiting.`, rule }),
      );
      return;
    }
    underWay += 1;
    bytesUnderWay += weight;
    const settle = (isAnswer: boolean, value: PortValue | Problem): void => {
      underWay -= 1;
      bytesUnderWay -= weight;
      // Whatever the realm throws at us is its own affair: it is not looked at, since looking could run its code.
      if (!isStopped) attempt(() => done(isAnswer, value));
    };
    host.call(port, method, args).then(
      (value) => settle(true, value),
      (error: unknown) => {
        const { problem, detail } = describeFailure(error);
        if (detail !== null && !isStopped) host.log(`internal error of ${port}.${method}: ${detail}`);
        settle(false, problem);
      },
    );
  };
  const onSleep: Parameters<Connect>[1] = (milliseconds, done) => {
    if (isStopped) return;
    const time = Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
    void host.sleep(time).then(() => {
      if (!isStopped) attempt(() => done());
    });
  };
  const connect = membrane.runInContext(context) as Connect;
  const inside = connect(
    onCall,
    onSleep,
    () => host.now(),
    () => host.monotonic(),
    (line) => {
      if (!isStopped) host.log(line);
    },
    ports,
    mayCompile,
  );

  const ask = (begin: (done: Done) => void): Promise<PortValue> =>
    new Promise((resolve, reject) => {
      waiting.add(reject);
      const done: Done = (isAnswer, value) => {
        waiting.delete(reject);
        if (isStopped) return;
        if (isAnswer) resolve(copyPlainData(value));
        else reject(problemToError(problemFrom(value, host.log)));
      };
      if (!attempt(() => begin(done))) done(false, {});
    });

  return {
    async start() {
      try {
        script.runInContext(context);
      } catch (thrown) {
        problemFrom(inside.describe(thrown), host.log);
        throw new BoardError('StageFailed', `The bundle of ${stage} threw while it was loaded.`);
      }
      await ask((done) => inside.start(done));
    },
    call(caller, method, args) {
      if (isStopped) return Promise.reject(stopped(stage));
      return ask((done) => inside.call(caller, method, args, done));
    },
    stop() {
      isStopped = true;
      for (const reject of waiting) reject(stopped(stage));
      waiting.clear();
    },
  };
}

function stopped(stage: StageName): BoardError {
  return new BoardError('StageStopped', `The stage ${stage} has been stopped.`);
}

/** Runs what enters the realm; false if something came flying out, which is deliberately not looked at. */
function attempt(enter: () => void): boolean {
  try {
    enter();
    return true;
  } catch {
    return false;
  }
}

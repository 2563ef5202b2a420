import { describe, expect, it } from 'vitest';
import { utf8Encode, type PortValue, type StageName } from '@sevenfold/formats';
import { hostClock, settableClock } from './host-clock.ts';
import { inlineLoader } from './inline-loader.ts';
import { processLoader } from './process-loader.ts';
import type { LoadedStage, StageLoader, Wiring } from './stage-loader.ts';
import { stageProgram } from './testing/stage-program.fixture.ts';
import { threadLoader } from './thread-loader.ts';

const program = stageProgram();
const loaders: readonly [Wiring, () => StageLoader][] = [
  ['inline', inlineLoader],
  ['thread', () => threadLoader(program)],
  ['process', () => processLoader(program)],
];

/** Loads a stage whose `start` is this script body (`handle` is its world) and whose handler answers calls to it. */
async function load(
  loader: StageLoader,
  body: string,
  {
    stage = 'kernel',
    answer,
  }: { stage?: StageName; answer?: (method: string, args: readonly PortValue[]) => PortValue } = {},
): Promise<LoadedStage & { readonly lines: string[] }> {
  const lines: string[] = [];
  const loaded = await loader.start(
    {
      stage,
      bundle: utf8Encode(`globalThis.stage = { async start(handle) { ${body} } };`),
      ports: { below: { call: async (method, ...args) => (answer ?? (() => null))(method, args) } },
      clock: settableClock(hostClock()),
      log: (line) => lines.push(line),
    },
    () => {},
  );
  return { ...loaded, lines };
}

/** An expression: says `object` if one of these objects leads to the host's `process`. */
const LEAKS = (objects: string): string =>
  `(${objects}.some((x) => { try { return typeof x.constructor.constructor('return process')() === 'object'; } catch { return false; } }) ? 'object' : 'nothing')`;

/** Each expression is something a hostile bundle would try; it must throw, or yield nothing of the host. */
const ATTEMPTS: readonly string[] = [
  `typeof process`,
  `typeof require`,
  `typeof console`,
  `typeof setTimeout`,
  `typeof Date`,
  `typeof WebAssembly`,
  `typeof SharedArrayBuffer`,
  `typeof eval`,
  `typeof Math.random`,
  `typeof globalThis.constructor.constructor('return process')()`,
  `typeof Function('return process')()`,
  `typeof (async () => {}).constructor('return process')()`,
  `typeof (function* () {}).constructor('return process')()`,
  `typeof handle.constructor.constructor('return process')()`,
  `typeof handle.log.constructor('return process')()`,
  `typeof handle.clock.now.constructor('return process')()`,
  `typeof handle.clock.sleep(0).constructor.constructor('return process')()`,
  `typeof handle.ports.below.call.constructor('return process')()`,
  `typeof handle.ports.below.call('x').constructor.constructor('return process')()`,
  `typeof (await handle.ports.below.call('record')).constructor.constructor('return process')()`,
  `typeof (await handle.ports.below.call('list')).constructor.constructor('return process')()`,
  `typeof (await handle.ports.below.call('bytes')).constructor.constructor('return process')()`,
  `typeof (await handle.ports.below.call('bytes')).buffer.constructor.constructor('return process')()`,
  `typeof (await handle.ports.below.call('fail').catch((e) => e)).constructor.constructor('return process')()`,
  `typeof (await handle.ports.below.call(Symbol('x')).catch((e) => e)).constructor.constructor('return process')()`,
  // Frames of the host would come with the stack of an error.
  `(() => { let seen = []; try { Error.prepareStackTrace = (_, frames) => { seen = [frames, ...frames, ...frames.flatMap((f) => [f.getThis(), f.getFunction()])]; return ''; }; } catch {} new Error('x').stack; return ${LEAKS('seen')}; })()`,
  `await (async () => { let seen = []; try { Error.prepareStackTrace = (_, frames) => { seen.push(frames, ...frames); return ''; }; } catch {} handle.answer = { toString() { return ''; } }; try { await handle.ports.below.call('x', { get a() { throw new Error('x'); } }); } catch (e) { e.stack; } return ${LEAKS('seen')}; })()`,
  `(() => { let seen = []; try { globalThis.Error = { prepareStackTrace: (_, frames) => { seen = [frames, ...frames]; return ''; } }; } catch {} try { null.x; } catch (e) { e.stack; } return ${LEAKS('seen')}; })()`,
  // The host runs out of stack while it works for the bundle: its RangeError would be the host's.
  `(() => { const errors = []; const dive = () => { try { dive(); } catch (e) { errors.push(e); } try { handle.log('x'); } catch (e) { errors.push(e); } try { handle.clock.now(); } catch (e) { errors.push(e); } };
     dive(); return ${LEAKS('errors')}; })()`,
  // Built-ins changed behind the membrane's back, to catch what passes through them.
  `await (async () => { const seen = []; let busy = false; const original = Object.getPrototypeOf;
     const note = (x) => { if (busy) return; busy = true; try { for (let p = x; p; p = original(p)) { const d = Object.getOwnPropertyDescriptor(p, 'constructor'); if (d && d.value) seen.push(typeof d.value.constructor('return process')()); } } catch {} busy = false; };
     for (const proto of [Object.prototype, Array.prototype, Promise.prototype, Function.prototype, Uint8Array.prototype])
       for (const key of ['then', 'call', 'apply', 'constructor', 'value', 'get', 'set', '0', 'length', 'push', 'toString', 'code', 'message'])
         try { Object.defineProperty(proto, key, { configurable: true, get() { note(this); return undefined; }, set(v) { note(v); note(this); } }); } catch {}
     try { await handle.ports.below.call('record', { a: [1, new Uint8Array(2)] }); } catch {}
     return seen.join() || 'nothing'; })()`,
  // What the host reads of a value could run the bundle's code with objects of the host.
  `await handle.ports.below.call('echo', new Proxy({}, { get(_, key) { return typeof key === 'symbol' ? undefined : 1; }, ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) })).then((v) => typeof v.constructor.constructor('return process')())`,
];

describe.each(loaders)('a stage, wired %s', (_wiring, makeLoader) => {
  it.each(ATTEMPTS)('reaches nothing of the host by %s', async (attempt) => {
    const stage = await load(
      makeLoader(),
      `let result; try { result = String(${attempt}); } catch (error) { result = 'threw ' + (error && error.name); }
       handle.serve(async () => result);`,
      {
        answer(method, args) {
          if (method === 'record') return { a: 1, b: { c: [1] } };
          if (method === 'list') return [1, 2];
          if (method === 'bytes') return new Uint8Array(3);
          if (method === 'echo') return args[0] ?? null;
          if (method === 'fail') throw new Error('host error');
          return null;
        },
      },
    );
    const result = await stage.portFor('test').call('tell');
    await stage.stop();
    expect(result).toMatch(/^(undefined|nothing|threw .*)$/);
  });

  it.each(['import("node:fs")', 'import ("node:fs")', 'import/**/("fs")', 'import.meta'])(
    'is refused if its bundle holds %s',
    async (text) => {
      await expect(load(makeLoader(), `${text};`)).rejects.toMatchObject({ code: 'StageRefused' });
    },
  );

  it('is refused if its bundle is no script or starts nothing', async () => {
    await expect(load(makeLoader(), `} syntax error {`)).rejects.toMatchObject({ code: 'StageRefused' });
    const loader = makeLoader();
    const start = { stage: 'kernel', ports: {}, clock: settableClock(hostClock()), log: () => {} } as const;
    await expect(
      loader.start({ ...start, bundle: utf8Encode('var other = 1;') }, () => {}),
    ).rejects.toMatchObject({
      code: 'Internal',
    });
  });

  it('passes values, errors with code, field and rule, and its caller, which it cannot choose', async () => {
    const stage = await load(
      makeLoader(),
      `handle.serve(async (caller, method, args) => {
         if (method === 'echo') return [caller, ...args];
         throw Object.assign(new Error('No such thing.'), { code: 'NoSuchThing', field: 'a.b', rule: 'known' });
       });`,
    );
    const port = stage.portFor('gateway');
    const value = [1, 2n, 'x', null, true, { a: new Uint8Array([1, 2]), __proto__: null }, []];
    expect(await port.call('echo', ...value)).toEqual(['gateway', ...value]);
    await expect(port.call('other')).rejects.toMatchObject({
      code: 'NoSuchThing',
      message: 'No such thing.',
      field: 'a.b',
      rule: 'known',
    });
    await stage.stop();
    await expect(port.call('echo')).rejects.toMatchObject({ code: 'StageStopped' });
  });

  it.each([
    '() => 1',
    'undefined',
    'Symbol()',
    'new Map()',
    'new Date2()',
    '[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]',
    '{ a: [() => 1] }',
    'new Array(1000).fill(new Uint8Array(65536))',
    'new Array(1000).fill("x".repeat(65536))',
    'Object.fromEntries([["x".repeat(40000000), 1]])',
    '2n ** 1000000n',
  ])('cannot send %s over a port', async (expression) => {
    const stage = await load(
      makeLoader(),
      `class Date2 { x = 1; }; class Other extends Date2 {}
         const code = await handle.ports.below.call('x', ${expression === 'new Date2()' ? 'new Other()' : expression}).then(() => 'sent', (e) => e.code);
         handle.serve(async () => code);`,
    );
    expect(await stage.portFor('test').call('tell')).toBe('NotPlainData');
    await stage.stop();
  });

  it('keeps an internal error to the log, and gives the caller no detail of it', async () => {
    const stage = await load(makeLoader(), `handle.serve(async () => { null.secret(); });`);
    await expect(stage.portFor('test').call('x')).rejects.toMatchObject({ code: 'Internal' });
    expect(stage.lines.join('\n')).toContain('secret');
    await stage.stop();
  });

  it('rejects what still waits when it is stopped', async () => {
    const stage = await load(makeLoader(), `handle.serve(() => new Promise(() => {}));`);
    const waiting = stage.portFor('test').call('x');
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'StageStopped' });
    await stage.stop();
    await outcome;
  });

  it('calls the stage below as the caller that the board stamped, and hears when that one is gone', async () => {
    const loader = makeLoader();
    const start = { clock: settableClock(hostClock()), log: () => {} };
    const below = await loader.start(
      {
        ...start,
        stage: 'monitor',
        ports: {},
        bundle: utf8Encode(
          `globalThis.stage = { async start(h) { h.serve(async (caller, method, args) => method === 'wait' ? new Promise(() => {}) : [caller, method, ...args]); } };`,
        ),
      },
      () => {},
    );
    const above = await loader.start(
      {
        ...start,
        stage: 'kernel',
        ports: { monitor: { stage: below, caller: 'kernel' } },
        bundle: utf8Encode(
          `globalThis.stage = { async start(h) { h.serve(async (caller, method, args) => h.ports.monitor.call(method, ...args)); } };`,
        ),
      },
      () => {},
    );
    const port = above.portFor('services');
    expect(await port.call('echo', 1, new Uint8Array([2]))).toEqual([
      'kernel',
      'echo',
      1,
      new Uint8Array([2]),
    ]);
    const waiting = expect(port.call('wait')).rejects.toMatchObject({ code: 'StageStopped' });
    await port.call('echo');
    await below.stop();
    await waiting;
    await expect(port.call('echo')).rejects.toMatchObject({ code: 'StageStopped' });
    await above.stop();
  });

  it('may compile WebAssembly in a compartment only', async () => {
    const body = `let result = 'none'; try { result = typeof new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])); } catch (e) { result = e.name; }
       handle.serve(async () => result);`;
    const compartment = await load(makeLoader(), body, { stage: 'compartment' });
    expect(await compartment.portFor('kernel').call('x')).toBe('object');
    await compartment.stop();
    const kernel = await load(makeLoader(), body);
    expect(await kernel.portFor('kernel').call('x')).toBe('ReferenceError');
    await kernel.stop();
  });
});

describe('a stage in a thread', () => {
  it('speaks to its neighbour without the board', async () => {
    const loader = threadLoader();
    const start = { clock: settableClock(hostClock()), log: () => {} };
    const echo = `globalThis.stage = { async start(h) { h.serve(async (caller) => h.ports.monitor ? h.ports.monitor.call('x') : caller); } };`;
    const bundle = utf8Encode(echo);
    const below = await loader.start({ ...start, stage: 'monitor', ports: {}, bundle }, () => {});
    const asked: string[] = [];
    const { portFor } = below;
    Object.assign(below, { portFor: (caller: string) => (asked.push(caller), portFor(caller)) });
    const ports = { monitor: { stage: below, caller: 'kernel' } };
    const above = await loader.start({ ...start, stage: 'kernel', ports, bundle }, () => {});
    expect(await above.portFor('services').call('x')).toBe('kernel');
    expect(asked).toEqual([]);
    await above.stop();
    await below.stop();
  });
});

describe.each(loaders.slice(1))('a stage, wired %s', (_wiring, makeLoader) => {
  it('is ended whatever it does, and says so when it dies by itself', async () => {
    const ends: string[] = [];
    const start = async (body: string): Promise<LoadedStage> =>
      makeLoader().start(
        {
          stage: 'compartment',
          bundle: utf8Encode(`globalThis.stage = { async start(handle) { ${body} } };`),
          ports: {},
          clock: settableClock(hostClock()),
          log: () => {},
          onEnd: (reason) => ends.push(reason),
        },
        () => {},
      );
    const looping = await start(`handle.serve(async () => { for (;;); });`);
    const call = looping.portFor('kernel').call('loop');
    const outcome = expect(call).rejects.toMatchObject({ code: 'StageStopped' });
    await looping.stop();
    await outcome;
    expect(ends).toEqual([]);
    const dying = await start(
      `handle.serve(async () => { Promise.reject({ get stack() { return 1; } }); return null; });`,
    );
    await dying
      .portFor('kernel')
      .call('x')
      .catch(() => {});
    await expect.poll(() => ends).toEqual(['a rejection nobody handled']);
  });
});

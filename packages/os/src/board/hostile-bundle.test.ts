import { describe, expect, it } from 'vitest';
import { WIRINGS } from './stage-loader.ts';
import { makeDevice, manufactureBits } from './testing/device.fixture.ts';
import { makeRelease } from './testing/release.fixture.ts';

/** Names that lead to files, networks, threads, processes, clocks or memory of others, in Node or in a browser. */
const AMBIENT =
  `process require module exports global Buffer __dirname fetch WebSocket XMLHttpRequest EventSource
  Worker SharedWorker MessageChannel BroadcastChannel SharedArrayBuffer Atomics WebAssembly
  performance Date setTimeout setImmediate queueMicrotask structuredClone console navigator crypto
  localStorage eval gc FinalizationRegistry WeakRef Deno Bun importScripts ShadowRealm Temporal Intl`.split(
    /\s+/,
  );

/**
 * A kernel, signed by the platform as it should be, that tries everything at once and tells in the log. Whatever
 * names `process` after it got somewhere says `reached`.
 */
const HOSTILE = `globalThis.stage = { async start(h) {
  const { monitor, hardware } = h.ports;
  const tell = (what, outcome) => h.log('try ' + what + ' = ' + outcome);
  for (const name of ${JSON.stringify(AMBIENT)}) tell(name, typeof globalThis[name]);
  const reach = (value) => { try { return typeof value.constructor.constructor('return process')() === 'object' ? 'reached' : 'nothing'; } catch (e) { return 'nothing'; } };
  const info = await monitor.call('bootInfo');
  const refused = await monitor.call('noSuchCall').catch((e) => e);
  for (const [name, value] of Object.entries({ handle: h, port: monitor, call: monitor.call, answer: info, list: info.stages, bytes: info.stages[0].digest, buffer: info.stages[0].digest.buffer, error: refused, promise: monitor.call('bootInfo'), sleep: h.clock.sleep(0), log: h.log }))
    tell('constructor of ' + name, reach(value));
  tell('code from a text', (() => { try { return typeof (0, Function)('return 1')(); } catch (e) { return e.name; } })());
  // What crosses the port shall change the prototypes of those who receive it.
  const poison = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}');
  Object.prototype.polluted = 1; Array.prototype.then = 1;
  await monitor.call('stageBegin', poison).catch((e) => tell('poisoned argument', e.code));
  await monitor.call('recordRemove', [poison]).catch((e) => tell('poisoned list', e.code));
  await hardware.call('startStage', poison, new Uint8Array(1)).catch((e) => tell('poisoned stage', e.code));
  delete Object.prototype.polluted; delete Array.prototype.then;
  h.serve(async (caller, method, args) => monitor.call(method, ...args));
  await monitor.call('watchdogKick', 600000);
  await hardware.call('startStage', 'services', await monitor.call('loadServices'));
} };`;

describe.each(WIRINGS)('a bundle that was signed and is hostile, wired %s', (wiring) => {
  it('reaches nothing but its handle, and changes nobody it speaks to', async () => {
    const device = makeDevice(manufactureBits(await makeRelease({ kernel: HOSTILE })), wiring);
    const outcome = await device.board.powerOn();
    expect(outcome, device.board.bootLog.join('\n')).toMatchObject({ kind: 'running' });
    const tried = new Map(
      device.board.bootLog.flatMap((line) => {
        const match = /^\[KERNEL\] try (.+) = (.*)$/.exec(line);
        return match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const];
      }),
    );
    for (const name of AMBIENT) expect(tried.get(name), name).toBe('undefined');
    const constructors = [...tried].filter(([what]) => what.startsWith('constructor of '));
    expect(constructors).toHaveLength(11);
    for (const [what, found] of constructors) expect(found, what).toBe('nothing');
    expect(tried.get('code from a text')).toBe('EvalError');
    for (const what of ['poisoned argument', 'poisoned list', 'poisoned stage'])
      expect(tried.get(what), what).toBe('BadArgument');
    expect({}).not.toHaveProperty('polluted');
    // Who was spoken to answers as before.
    expect(await device.call('bootInfo')).toMatchObject({ trial: false });
    expect(device.chip.bus.firewall.isLocked).toBe(true);
    await device.board.powerOff();
  });
});

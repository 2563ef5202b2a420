import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Peripheral } from '../bus.ts';
import { SiliconError } from '../errors.ts';
import type { CoreBus } from './access.ts';
import { TICKS_PER_SECOND } from './core-clock.ts';
import { ANSWER, LINK, LINK_BITS, type CoreThreadData, type FromCore, type ToCore } from './core-link.ts';
import type { AccessSize } from './ir.ts';
import { RealTimeCore } from './real-time-core.ts';

const TICKS_PER_MS = TICKS_PER_SECOND / 1000;
/** Ticks that the core runs before it looks at the bell: 100 µs. */
const SLICE = TICKS_PER_MS / 10;
/** Turns after which output is told that nothing has told of, and the shortest sleep in ms. */
const TURNS_PER_FLUSH = 16;
const SHORTEST = 0.05;
/** Ms that the core may fall behind the host's time before it lets go of what it cannot catch up. */
const MOST_BEHIND = 20;

/**
 * The program of a core's thread. It never returns to the event loop: it runs the core as far as the host's time has
 * come, and sleeps on the bell while there is nothing to run.
 */
function runCore(port: NonNullable<typeof parentPort>, data: CoreThreadData): never {
  const { link, window, windowBase, resetCause, engine } = data;
  const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
  const output: number[] = [];
  let generation = 0;
  /** The bell as it was when everything that it rang for had been seen to. */
  let heard = 0;
  /** Host's time in ms, and tick of the core, that belong together. */
  let origin = { host: 0, tick: 0 };

  const say = (message: FromCore): void => port.postMessage(message, []);
  const ask = (message: FromCore): number => {
    Atomics.store(link, LINK.answer, 0);
    say(message);
    while (Atomics.load(link, LINK.answer) === 0) Atomics.wait(link, LINK.answer, 0);
    const isDone = Atomics.load(link, LINK.answer) === ANSWER.done;
    const value = Atomics.load(link, LINK.value);
    hearLines();
    if (!isDone) throw new SiliconError('BusFault', 'Bus fault: the chip refused the access.');
    return value;
  };
  const isInWindow = (address: number, size: AccessSize): boolean =>
    address >= windowBase &&
    address + size <= windowBase + window.length &&
    Atomics.load(link, LINK.generation) === generation;
  const bus: CoreBus = {
    read(address, size) {
      if (!isInWindow(address, size)) {
        const value = ask({ kind: 'read', generation, address, size });
        return size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
      }
      const at = address - windowBase;
      return size === 4 ? view.getInt32(at, true) : size === 2 ? view.getUint16(at, true) : view.getUint8(at);
    },
    write(address, size, value) {
      if (!isInWindow(address, size)) {
        ask({ kind: 'write', generation, address, size, value });
        return;
      }
      const at = address - windowBase;
      if (size === 4) view.setInt32(at, value, true);
      else if (size === 2) view.setUint16(at, value, true);
      else view.setUint8(at, value);
    },
  };
  const remote = (base: number): Peripheral => ({
    read: (offset) => bus.read(base + offset, 4),
    write: (offset, value) => bus.write(base + offset, 4, value),
    reset() {},
  });
  const core = new RealTimeCore({
    ...(engine === null ? {} : { engine }),
    bus,
    mailboxes: { application: remote(0x2105_0000), other: remote(0x2106_0000) },
    resetCause,
    onDebugByte: (byte) => output.push(byte),
    onFailure: (failure) => {
      flush();
      say({ kind: 'failure', generation, failure, resetCause: core.resetCause });
    },
  });
  const flush = (): void => {
    if (output.length > 0) say({ kind: 'output', generation, bytes: Uint8Array.from(output.splice(0)) });
  };

  const known = new Int32Array(LINK.words);
  /** Tells the core of lines and requests that have changed. */
  function hearLines(): void {
    for (const first of [LINK.lines, LINK.requests]) {
      for (let word = 0; word < LINK_BITS / 32; word++) {
        const now = Atomics.load(link, first + word);
        let changed = now ^ (known[first + word] ?? 0);
        known[first + word] = now;
        for (; changed !== 0; changed &= changed - 1) {
          const bit = 31 - Math.clz32(changed & -changed);
          const isHigh = ((now >>> bit) & 1) !== 0;
          if (first === LINK.lines) core.setLine(32 * word + bit, isHigh);
          else core.setRequest(32 * word + bit, isHigh);
        }
      }
    }
  }

  const obey = (message: ToCore): void => {
    switch (message.kind) {
      case 'load':
        core.load(message.address, message.bytes);
        return;
      case 'start':
        ({ generation } = message);
        core.start();
        origin = { host: performance.now(), tick: core.time };
        return;
      case 'stop':
        core.stop();
        return;
      case 'pin':
        core.pinChanged(message.pin, message.level);
        return;
      case 'input':
        core.debugInput(message.bytes);
        return;
      default:
        message satisfies never;
    }
  };
  /** Tick that the host's time has come to. */
  const due = (): number => origin.tick + (performance.now() - origin.host) * TICKS_PER_MS;

  const hear = (): void => {
    heard = Atomics.load(link, LINK.bell);
    // What it slept through has passed before it hears of anything.
    if (core.nextEvent() > core.time) core.run(Math.max(0, Math.min(due(), core.nextEvent()) - core.time));
    hearLines();
    for (let item = receiveMessageOnPort(port); item !== undefined; item = receiveMessageOnPort(port))
      obey((item as { readonly message: ToCore }).message);
  };

  for (let turn = 0; ; turn++) {
    if (Atomics.load(link, LINK.bell) !== heard) hear();
    if (core.state === 'running' && Atomics.load(link, LINK.generation) !== generation) core.stop();
    const isBusy = core.nextEvent() <= core.time;
    const behind = due() - core.time;
    if (isBusy && behind > MOST_BEHIND * TICKS_PER_MS) origin = { host: performance.now(), tick: core.time };
    const sleep = core.nextEvent() - core.time;
    if (behind > 0 && sleep <= behind) core.run(Math.min(behind, Math.max(SLICE, sleep)));
    else {
      flush();
      const left = Math.max(sleep, 0) - behind;
      Atomics.wait(
        link,
        LINK.bell,
        heard,
        left === Infinity ? undefined : Math.max(SHORTEST, left / TICKS_PER_MS),
      );
    }
    if (turn % TURNS_PER_FLUSH === 0) flush();
  }
}

if (parentPort !== null) runCore(parentPort, workerData as CoreThreadData);

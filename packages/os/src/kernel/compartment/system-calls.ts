import { isBytes, utf8Encode, type Port } from '@sevenfold/formats';
import type { ImportsAnswered } from '../import-table.ts';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';
import type { GuestEvents, SystemEvent } from './guest-events.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, READY, type Readiness } from './open-file.ts';
import { CheckFailed } from './trap.ts';
import type { Waker } from './waker.ts';

const KIB = 1024;
const NS_PER_MS = 1_000_000n;
const RECORD_SIZE = 16;

type Sevenfold = 'sevenfold';
/** The calls of this file. */
export type SystemCall =
  | `signal_${string}`
  | `system_event_${string}`
  | 'watchdog_set'
  | 'memory_usage'
  | 'os_version'
  | 'time_set'
  | 'reboot'
  | 'check_failed'
  | 'settings';

/** A registration for system events: each read gives one, as four u32 {event, status, update type, minutes}. */
class SystemEventFile extends OpenFile {
  readonly fileType = FILE_TYPE.unknown;
  readonly #kernel: Port;
  readonly #waker: Waker;
  readonly #events: GuestEvents;

  constructor({ kernel, waker, events }: Guest) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
    this.#events = events;
  }

  override readiness(): Readiness {
    return { events: this.#events.hasSystemEvent ? READY.input : 0, changesAt: null };
  }

  override read(most: number): Uint8Array | Promise<Uint8Array> {
    if (most < RECORD_SIZE) throw new CallRefused('EINVAL');
    const event = this.#events.nextSystemEvent();
    if (event !== null) return recordOf(event);
    if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#wait();
  }

  async #wait(): Promise<Uint8Array> {
    for (;;) {
      const event = this.#events.nextSystemEvent();
      if (event !== null) return recordOf(event);
      await this.#waker.until(null);
    }
  }

  override async close(): Promise<void> {
    await this.#kernel.call('systemEventsEnd');
  }
}

function recordOf({ event, status, updateType, minutes }: SystemEvent): Uint8Array {
  return new Uint8Array(Uint32Array.of(event, status, updateType, minutes).buffer);
}

/** Signals, statistics and versions: what is answered inside. */
export function systemCalls(guest: Guest) {
  const { memory, events, options } = guest;
  const imageBytes = options.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  let peak = 0;
  return {
    check_failed(kind: number): never {
      throw new CheckFailed(kind);
    },
    /** The number of a signal that came; 0 for none. */
    signal_next(out: number) {
      memory.require(out, 4);
      memory.write32(out, events.nextSignal() ?? 0);
    },
    /** KiB, three u32: with what the OS holds for the app, the app's own, and the most that was its own. */
    memory_usage(out: number) {
      const own = memory.size;
      peak = Math.max(peak, own);
      memory.require(out, 12);
      memory.write32(out, Math.ceil((own + imageBytes + options.mutableQuota) / KIB));
      memory.write32(out + 4, Math.ceil(own / KIB));
      memory.write32(out + 8, Math.ceil(peak / KIB));
    },
    os_version(out: number, size: number) {
      const text = utf8Encode(`${options.osVersion}\0`);
      if (text.length > size >>> 0) throw new CallRefused('ERANGE');
      memory.write(out, text);
    },
  } satisfies Readonly<
    Record<Extract<ImportsAnswered<Sevenfold, 'inside'>, SystemCall>, (...args: never[]) => void>
  >;
}

/** Signals, events of the system, watchdog, clock and restart: what crosses to the kernel. */
export function waitingSystemCalls(guest: Guest) {
  const { memory, fds, kernel, events } = guest;
  return {
    signal_watch: (mask: bigint) => events.watch(BigInt.asUintN(64, mask)),
    async system_event_open(mask: number, out: number) {
      memory.require(out, 4);
      fds.reserve();
      await kernel.call('systemEvents', mask >>> 0);
      events.listen();
      memory.write32(out, fds.add(new SystemEventFile(guest)));
    },
    async system_event_defer(event: number, minutes: number) {
      await kernel.call('deferUpdate', event >>> 0, minutes >>> 0);
    },
    async system_event_resume(event: number) {
      await kernel.call('resumeUpdate', event >>> 0);
    },
    async watchdog_set(milliseconds: number) {
      await kernel.call('watchdog', milliseconds >>> 0);
    },
    async settings(
      operation: number,
      pointer: number,
      length: number,
      out: number,
      capacity: number,
      outLength: number,
    ) {
      memory.require(outLength, 4);
      const answer = await kernel.call('settings', operation >>> 0, memory.copy(pointer, length));
      if (!isBytes(answer)) throw new CallRefused('EIO');
      if (answer.length > capacity >>> 0) throw new CallRefused('ENOBUFS');
      memory.write(out, answer);
      memory.write32(outLength, answer.length);
    },
    async time_set(nanoseconds: bigint) {
      await kernel.call('setSystemTime', Number(nanoseconds / NS_PER_MS));
    },
    async reboot() {
      await kernel.call('reboot');
    },
  } satisfies Readonly<
    Record<
      Extract<ImportsAnswered<Sevenfold, 'waits'>, SystemCall>,
      (...args: never[]) => void | Promise<void>
    >
  >;
}

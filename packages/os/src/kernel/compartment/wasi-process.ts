import { isBytes, utf8Encode } from '@sevenfold/formats';
import type { ImportsAnswered } from '../import-table.ts';
import { earlier } from './epoll-file.ts';
import { CallRefused, errnoOf } from './errno.ts';
import type { Guest } from './guest.ts';
import { READY } from './open-file.ts';
import { CLOCK } from './timer-file.ts';
import { TURN, type Waiting } from './waiting.ts';

const NS_PER_MS = 1_000_000;
const MOST_SUBSCRIPTIONS = 128;
/** Bytes of entropy that the kernel gives at a time. */
const ENTROPY_CHUNK = 256;
/** WASI: sizes of a subscription and of an event, and the event types. */
const SUBSCRIPTION_SIZE = 48;
const EVENT_SIZE = 32;
const EVENT = { clock: 0, read: 1, write: 2 } as const;
const CLOCK_IS_ABSOLUTE = 1;

/** Ends the app from inside a host call: thrown through its frames. */
export class ProcessExit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Nanoseconds of a clock in milliseconds. */
export function nanoseconds(milliseconds: number): bigint {
  const whole = Math.floor(milliseconds);
  return BigInt(whole) * BigInt(NS_PER_MS) + BigInt(Math.round((milliseconds - whole) * NS_PER_MS));
}

interface Subscription {
  readonly userData: bigint;
  readonly type: number;
  /** Monotonic ms, of a clock. */
  readonly at: number | null;
  readonly fd: number;
}

interface PollEvent {
  readonly userData: bigint;
  readonly type: number;
  readonly errno: number;
  readonly isHungUp: boolean;
}

function readSubscription(guest: Guest, at: number): Subscription {
  const { memory, clock } = guest;
  const userData = memory.read64(at);
  const type = memory.read8(at + 8);
  if (type === EVENT.read || type === EVENT.write)
    return { userData, type, at: null, fd: memory.read32(at + 16) };
  const id = memory.read32(at + 16);
  if (type !== EVENT.clock || (id !== CLOCK.realtime && id !== CLOCK.monotonic))
    throw new CallRefused('EINVAL');
  const timeout = Number(memory.read64(at + 24)) / NS_PER_MS;
  const isAbsolute = (memory.read16(at + 40) & CLOCK_IS_ABSOLUTE) !== 0;
  const now = clock.monotonic();
  if (!isAbsolute) return { userData, type, at: now + timeout, fd: -1 };
  return { userData, type, at: id === CLOCK.realtime ? now + (timeout - clock.now()) : timeout, fd: -1 };
}

/** The event of a subscription if it is due, and when that may change by time alone. */
function look(
  guest: Guest,
  { userData, type, at, fd }: Subscription,
): { event: PollEvent | null; changesAt: number | null } {
  const event = { userData, type, errno: 0, isHungUp: false };
  if (at !== null) return { event: at <= guest.clock.monotonic() ? event : null, changesAt: at };
  try {
    const readiness = guest.fds.get(fd).readiness();
    if (readiness === null) return { event, changesAt: null };
    const wanted = (type === EVENT.read ? READY.input : READY.output) | READY.error | READY.hangUp;
    const isHungUp = (readiness.events & READY.hangUp) !== 0;
    return {
      event: (readiness.events & wanted) === 0 ? null : { ...event, isHungUp },
      changesAt: readiness.changesAt,
    };
  } catch (error) {
    return { event: { ...event, errno: errnoOf(error) }, changesAt: null };
  }
}

function writeEvent(guest: Guest, at: number, event: PollEvent): void {
  const { memory } = guest;
  memory.bytes(at, EVENT_SIZE).fill(0);
  memory.write64(at, event.userData);
  memory.write16(at + 8, event.errno);
  memory.write8(at + 10, event.type);
  // How much could be read or written is not known without doing it: at least one byte.
  if (event.type !== EVENT.clock) memory.write64(at + 16, event.errno === 0 && !event.isHungUp ? 1n : 0n);
  if (event.isHungUp) memory.write16(at + 24, 1);
}

type Wasi = 'wasi_snapshot_preview1';
type ProcessCall = Exclude<
  ImportsAnswered<Wasi, 'inside' | 'waits'>,
  `fd_${string}` | `path_${string}` | `sock_${string}`
>;

/** Arguments, environment, clocks and exit: answered inside. */
export function processCalls(guest: Guest) {
  const { memory, clock } = guest;
  const args = guest.options.args.map((text) => utf8Encode(`${text}\0`));
  return {
    args_get(pointers: number, text: number) {
      let at = text;
      args.forEach((bytes, index) => {
        memory.write32(pointers + index * 4, at);
        memory.write(at, bytes);
        at += bytes.length;
      });
    },
    args_sizes_get(outCount: number, outSize: number) {
      memory.write32(outCount, args.length);
      memory.write32(
        outSize,
        args.reduce((sum, { length }) => sum + length, 0),
      );
    },
    // No app has an environment: everything it is told stands in its manifest.
    environ_get: () => undefined,
    environ_sizes_get(outCount: number, outSize: number) {
      memory.write32(outCount, 0);
      memory.write32(outSize, 0);
    },
    clock_res_get(id: number, out: number) {
      if (id !== CLOCK.realtime && id !== CLOCK.monotonic) throw new CallRefused('EINVAL');
      memory.write64(out, BigInt(NS_PER_MS));
    },
    clock_time_get(id: number, _precision: bigint, out: number) {
      if (id !== CLOCK.realtime && id !== CLOCK.monotonic) throw new CallRefused('EINVAL');
      memory.write64(out, nanoseconds(id === CLOCK.realtime ? clock.now() : clock.monotonic()));
    },
    proc_exit(code: number): never {
      throw new ProcessExit(code & 0xff);
    },
  } satisfies Readonly<Record<ProcessCall & ImportsAnswered<Wasi, 'inside'>, (...args: never[]) => void>>;
}

/** Waiting and entropy. */
export function waitingProcessCalls(guest: Guest, waiting: Waiting) {
  const { memory, clock } = guest;
  return {
    async poll_oneoff(input: number, output: number, count: number, outCount: number) {
      if (count === 0 || count >>> 0 > MOST_SUBSCRIPTIONS) throw new CallRefused('EINVAL');
      memory.require(input, count * SUBSCRIPTION_SIZE);
      memory.require(output, count * EVENT_SIZE);
      memory.require(outCount, 4);
      const subscriptions = Array.from({ length: count }, (_, index) =>
        readSubscription(guest, input + index * SUBSCRIPTION_SIZE),
      );
      const events = await waiting.until(guest, null, () => {
        const looks = subscriptions.map((subscription) => look(guest, subscription));
        const found = looks.flatMap(({ event }) => (event === null ? [] : [event]));
        return {
          found: found.length === 0 ? null : found,
          changesAt: looks.map(({ changesAt }) => changesAt).reduce(earlier, null),
        };
      });
      (events ?? []).forEach((event, index) => {
        writeEvent(guest, output + index * EVENT_SIZE, event);
      });
      memory.write32(outCount, events?.length ?? 0);
    },
    async random_get(pointer: number, length: number) {
      memory.require(pointer, length);
      for (let at = 0; at < length >>> 0; at += ENTROPY_CHUNK) {
        const size = Math.min(ENTROPY_CHUNK, (length >>> 0) - at);
        const bytes = await guest.kernel.call('random', size);
        if (!isBytes(bytes) || bytes.length !== size) throw new CallRefused('EIO');
        memory.write(pointer + at, bytes);
      }
    },
    async sched_yield() {
      await clock.sleep(TURN);
    },
  } satisfies Readonly<
    Record<ProcessCall & ImportsAnswered<Wasi, 'waits'>, (...args: never[]) => Promise<void>>
  >;
}

import { utf8Encode } from '@sevenfold/formats';
import type { ImportsAnswered } from '../import-table.ts';
import { EpollFile } from './epoll-file.ts';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';
import { MutableFile } from './mutable-file.ts';
import { NON_BLOCKING } from './open-file.ts';
import type { SystemCall } from './system-calls.ts';
import { peripheralCalls, peripheralSettings } from './peripheral-calls.ts';
import { TimerFile } from './timer-file.ts';
import type { TlsCall } from './tls-calls.ts';
import type { Waiting } from './waiting.ts';
import { nanoseconds } from './wasi-process.ts';

const NS_PER_MS = 1_000_000;
const LONGEST_MESSAGE = 4096;
const MOST_EVENTS = 64;
const EPOLL_EVENT_SIZE = 16;

type Sevenfold = 'sevenfold';
/** Bound by `net-calls.ts`, `tls-calls.ts` and `system-calls.ts`. */
type BoundElsewhere = `socket_${string}` | 'resolve' | 'app_connect' | TlsCall | SystemCall;

/** The Applibs calls that are answered inside. */
export function applibsCalls(guest: Guest) {
  const { memory, fds, clock, waker } = guest;
  return {
    ...peripheralSettings(guest),
    timer_create(clockId: number, flags: number, out: number) {
      if ((flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
      const timer = new TimerFile(clock, waker, clockId);
      timer.flags = flags;
      memory.write32(out, fds.add(timer));
    },
    timer_set(fd: number, flags: number, value: bigint, interval: bigint) {
      fds.getAs(fd, TimerFile).set(flags, Number(value) / NS_PER_MS, Number(interval) / NS_PER_MS);
    },
    timer_get(fd: number, out: number) {
      const { value, interval } = fds.getAs(fd, TimerFile).get();
      memory.write64(out, nanoseconds(value));
      memory.write64(out + 8, nanoseconds(interval));
    },
    epoll_create(out: number) {
      memory.write32(out, fds.add(new EpollFile(fds)));
    },
    epoll_ctl(epfd: number, operation: number, fd: number, events: number, data: bigint) {
      fds.getAs(epfd, EpollFile).control(operation, fd, events, BigInt.asUintN(64, data));
    },
  } satisfies Readonly<
    Record<Exclude<ImportsAnswered<Sevenfold, 'inside'>, BoundElsewhere>, (...args: never[]) => void>
  >;
}

/** The Applibs calls that cross to the kernel or wait. */
export function waitingApplibsCalls(guest: Guest, waiting: Waiting) {
  const { memory, fds, clock, kernel, options } = guest;
  return {
    ...peripheralCalls(guest),
    async log_write(pointer: number, length: number) {
      await guest.log.write(memory.copy(pointer, Math.min(length >>> 0, LONGEST_MESSAGE)));
    },
    async epoll_wait(epfd: number, out: number, most: number, timeout: number, outCount: number) {
      const epoll = fds.getAs(epfd, EpollFile);
      if (most <= 0) throw new CallRefused('EINVAL');
      const count = Math.min(most, MOST_EVENTS);
      memory.require(out, count * EPOLL_EVENT_SIZE);
      const deadline = timeout < 0 ? null : clock.monotonic() + timeout;
      const events = await waiting.until(guest, deadline, () => {
        const { events: found, changesAt } = epoll.ready(count);
        return { found: found.length === 0 ? null : found, changesAt };
      });
      (events ?? []).forEach((event, index) => {
        memory.write32(out + index * EPOLL_EVENT_SIZE, event.events);
        memory.write32(out + index * EPOLL_EVENT_SIZE + 4, 0);
        memory.write64(out + index * EPOLL_EVENT_SIZE + 8, event.data);
      });
      memory.write32(outCount, events?.length ?? 0);
    },
    async mutable_open(out: number) {
      memory.require(out, 4);
      fds.reserve();
      const other = fds.find(MutableFile);
      memory.write32(out, fds.add(await MutableFile.open(kernel, options.mutableQuota, other)));
    },
    async mutable_delete() {
      if (fds.find(MutableFile) !== null) throw new CallRefused('EBUSY');
      await kernel.call('mutableDelete');
    },
    async device_auth_ready(out: number) {
      memory.require(out, 1);
      memory.write8(out, (await kernel.call('deviceAuthReady')) === true ? 1 : 0);
    },
    async device_id(out: number, size: number) {
      const id = await kernel.call('deviceId');
      if (typeof id !== 'string') throw new CallRefused('EIO');
      const text = utf8Encode(`${id}\0`);
      if (text.length > size >>> 0) throw new CallRefused('ERANGE');
      memory.write(out, text);
    },
  } satisfies Readonly<
    Record<
      Exclude<ImportsAnswered<Sevenfold, 'waits'>, BoundElsewhere>,
      (...args: never[]) => void | Promise<void>
    >
  >;
}

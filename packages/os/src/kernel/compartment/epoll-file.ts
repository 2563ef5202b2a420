import { CallRefused } from './errno.ts';
import type { FdTable } from './fd-table.ts';
import { FILE_TYPE, OpenFile, READY, type Readiness } from './open-file.ts';

/** `EPOLL_CTL_ADD`, `_DEL`, `_MOD` */
const EPOLL_OPERATION = { add: 1, remove: 2, modify: 3 } as const;

/** What is ready, as the app registered it. */
export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

interface Member {
  readonly file: OpenFile;
  readonly events: number;
  readonly data: bigint;
}

const ALWAYS_REPORTED = READY.error | READY.hangUp;
const ALLOWED = READY.input | READY.output | ALWAYS_REPORTED;
/** As Linux: an epoll may hold epolls, but not for ever. */
const DEEPEST_NESTING = 4;

/** Earlier of two times; null is never. */
export function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}

/** A set of descriptors to wait for: level-triggered, and itself a descriptor. */
export class EpollFile extends OpenFile {
  readonly fileType = FILE_TYPE.unknown;
  readonly #table: FdTable;
  readonly #members = new Map<number, Member>();
  /** The member that is looked at first: moves on, so that one that is always ready does not starve the rest. */
  #turn = 0;

  constructor(table: FdTable) {
    super();
    this.#table = table;
  }

  control(operation: number, fd: number, events: number, data: bigint): void {
    this.#forgetClosed();
    const file = this.#table.get(fd);
    const member = this.#members.get(fd);
    if (operation === EPOLL_OPERATION.remove) {
      if (member === undefined) throw new CallRefused('ENOENT');
      this.#members.delete(fd);
      return;
    }
    if (operation !== EPOLL_OPERATION.add && operation !== EPOLL_OPERATION.modify)
      throw new CallRefused('EINVAL');
    if ((events & ~ALLOWED) !== 0 || file === this) throw new CallRefused('EINVAL');
    if (operation === EPOLL_OPERATION.add && member !== undefined) throw new CallRefused('EEXIST');
    if (operation === EPOLL_OPERATION.modify && member === undefined) throw new CallRefused('ENOENT');
    if (file instanceof EpollFile && (file.#holds(this) || file.#depth() >= DEEPEST_NESTING))
      throw new CallRefused('ELOOP');
    if (!(file instanceof EpollFile) && file.readiness() === null) throw new CallRefused('EPERM');
    this.#members.set(fd, { file, events, data });
  }

  /** At most `most` ready members, each with its registered data, and when that may change by time alone. */
  ready(most: number): { readonly events: readonly EpollEvent[]; readonly changesAt: number | null } {
    this.#forgetClosed();
    const members = [...this.#members.values()];
    const events: EpollEvent[] = [];
    let changesAt: number | null = null;
    const start = members.length === 0 ? 0 : this.#turn % members.length;
    for (let index = 0; index < members.length && events.length < most; index += 1) {
      const place = (start + index) % members.length;
      const member = members[place];
      const readiness = member?.file.readiness() ?? null;
      if (member === undefined || readiness === null) continue;
      const ready = readiness.events & (member.events | ALWAYS_REPORTED);
      if (ready !== 0) {
        events.push({ events: ready, data: member.data });
        this.#turn = place + 1;
      } else changesAt = earlier(changesAt, readiness.changesAt);
    }
    return { events, changesAt };
  }

  override readiness(): Readiness {
    const turn = this.#turn;
    const { events, changesAt } = this.ready(1);
    this.#turn = turn;
    return { events: events.length > 0 ? READY.input : 0, changesAt };
  }

  /** A closed descriptor leaves by itself, even if its number stands for another file by now. */
  #forgetClosed(): void {
    for (const [fd, member] of this.#members) {
      if (!this.#table.is(fd, member.file)) this.#members.delete(fd);
    }
  }

  #holds(other: EpollFile): boolean {
    return [...this.#members.values()].some(
      ({ file }) => file === other || (file instanceof EpollFile && file.#holds(other)),
    );
  }

  #depth(): number {
    const depths = [...this.#members.values()].map(({ file }) =>
      file instanceof EpollFile ? file.#depth() : 0,
    );
    return 1 + Math.max(0, ...depths);
  }
}

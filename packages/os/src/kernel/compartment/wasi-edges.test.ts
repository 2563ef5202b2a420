import { utf8Encode, type PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { IMPORT_TABLE, type ImportRow } from '../import-table.ts';
import { KernelWorld } from '../testing/kernel-world.ts';
import { OUT, scriptModule, type Step } from '../testing/test-app.ts';
import { ERRNO } from './errno.ts';

/**
 * Every call of WASI preview 1 that somebody answers: it succeeds; it succeeds with each of its pointers at the very end
 * of memory; a byte further, and anywhere beyond, it is EFAULT; a descriptor that is none is EBADF, one of another kind
 * and a wrong argument what the row says. What the calls give is in `wasi.test.ts`.
 */

const PAGE = 65_536;
const LOOPBACK = 0x7f000001;

/** A pointer: to so many bytes that the call writes, or to these that it reads. */
interface Pointer {
  readonly length: number;
  readonly bytes: Uint8Array | null;
}
type Argument = number | bigint | 'loaded' | Pointer;

const writes = (length: number): Pointer => ({ length, bytes: null });
const reads = (bytes: Uint8Array): Pointer => ({ length: bytes.length, bytes });
const words = (...values: readonly number[]): Pointer =>
  reads(new Uint8Array(Uint32Array.from(values).buffer));
const path = (text: string): readonly [Pointer, number] => [reads(utf8Encode(text)), text.length];
/** Eight bytes in the middle of memory, as a vector of one. */
const VECTOR = words(4096, 8);

type Wasi = (typeof IMPORT_TABLE)['wasi_snapshot_preview1'];
type Answered = {
  [Name in keyof Wasi]: Wasi[Name] extends { answer: 'inside' | 'waits' } ? Name : never;
}[keyof Wasi];

interface Row {
  readonly before?: readonly Step[];
  readonly good: readonly Argument[];
  /** Other arguments, and what is said to them. */
  readonly bad: readonly (readonly [string, readonly Argument[]])[];
  /** Which argument is a descriptor. */
  readonly descriptor?: number;
}

const wasi = (name: string, ...args: Step['args']): Step => ({
  call: ['wasi_snapshot_preview1', name],
  args,
});
const applibs = (name: string, ...args: Step['args']): Step => ({ call: ['sevenfold', name], args });
const PATH = 2048;
const TEXT = 'data/text';
const root = 3;
const file = [wasi('path_open', root, 0, PATH, TEXT.length, 0, 0n, 0n, 0, OUT)];
const mutable = [applibs('mutable_open', OUT)];
const connected = [applibs('socket_open', 6, 0, OUT), applibs('socket_connect', 4, LOOPBACK, 80)];
const listening = [
  applibs('socket_open', 6, 0, OUT),
  applibs('socket_bind', 4, 0, 8080),
  applibs('socket_listen', 4, 1),
];
/** A subscription to the monotonic clock, for no time. */
const SUBSCRIPTION = words(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
const fd = (good: readonly Argument[], bad: Row['bad'] = [], before: Row['before'] = file): Row => ({
  before,
  good: ['loaded', ...good],
  bad,
  descriptor: 0,
});

const ROWS: Record<Exclude<Answered, 'proc_exit'>, Row> = {
  args_get: { good: [writes(12), writes(18)], bad: [] },
  args_sizes_get: { good: [writes(4), writes(4)], bad: [] },
  environ_get: { good: [writes(0), writes(0)], bad: [] },
  environ_sizes_get: { good: [writes(4), writes(4)], bad: [] },
  clock_res_get: { good: [1, writes(8)], bad: [['EINVAL', [7, writes(8)]]] },
  clock_time_get: { good: [1, 0n, writes(8)], bad: [['EINVAL', [7, 0n, writes(8)]]] },
  fd_advise: fd([0n, 0n, 0]),
  fd_close: fd([]),
  fd_datasync: fd([]),
  fd_fdstat_get: fd([writes(24)]),
  fd_fdstat_set_flags: fd([0], [['EINVAL', ['loaded', 0x8000]]]),
  fd_filestat_get: fd([writes(64)]),
  fd_filestat_set_size: fd(
    [16n],
    [
      ['EDQUOT', ['loaded', 8193n]],
      ['EINVAL', [root, 0n]],
    ],
    mutable,
  ),
  fd_pread: fd(
    [VECTOR, 1, 0n, writes(4)],
    [
      ['EINVAL', ['loaded', VECTOR, -1, 0n, writes(4)]],
      ['ESPIPE', [root, VECTOR, 1, 0n, writes(4)]],
    ],
  ),
  fd_prestat_get: { good: [root, writes(8)], bad: [['EBADF', [1, writes(8)]]], descriptor: 0 },
  fd_prestat_dir_name: {
    good: [root, writes(1), 1],
    bad: [['ENAMETOOLONG', [root, writes(1), 0]]],
    descriptor: 0,
  },
  fd_pwrite: fd(
    [VECTOR, 1, 0n, writes(4)],
    [
      ['EDQUOT', ['loaded', VECTOR, 1, 8192n, writes(4)]],
      ['EINVAL', ['loaded', VECTOR, -1, 0n, writes(4)]],
    ],
    mutable,
  ),
  fd_read: fd(
    [VECTOR, 1, writes(4)],
    [
      ['EINVAL', ['loaded', VECTOR, -1, writes(4)]],
      ['EISDIR', [root, VECTOR, 1, writes(4)]],
    ],
  ),
  fd_readdir: {
    good: [root, writes(200), 200, 0n, writes(4)],
    bad: [['ENOTDIR', [1, writes(200), 200, 0n, writes(4)]]],
    descriptor: 0,
  },
  fd_seek: fd(
    [0n, 0, writes(8)],
    [
      ['EINVAL', ['loaded', 0n, 9, writes(8)]],
      ['EINVAL', ['loaded', -1n, 0, writes(8)]],
      ['ESPIPE', [root, 0n, 0, writes(8)]],
    ],
  ),
  fd_sync: fd([]),
  fd_tell: fd([writes(8)], [['ESPIPE', [root, writes(8)]]]),
  fd_write: fd([VECTOR, 1, writes(4)], [['EINVAL', ['loaded', VECTOR, -1, writes(4)]]], mutable),
  path_filestat_get: {
    good: [root, 0, ...path(TEXT), writes(64)],
    bad: [
      ['ENOENT', [root, 0, ...path('data/none'), writes(64)]],
      ['ENOTDIR', [1, 0, ...path(TEXT), writes(64)]],
    ],
    descriptor: 0,
  },
  path_open: {
    good: [root, 0, ...path(TEXT), 0, 0n, 0n, 0, writes(4)],
    bad: [
      ['ENOENT', [root, 0, ...path('data/none'), 0, 0n, 0n, 0, writes(4)]],
      ['ENOTDIR', [1, 0, ...path(TEXT), 0, 0n, 0n, 0, writes(4)]],
    ],
    descriptor: 0,
  },
  poll_oneoff: {
    good: [SUBSCRIPTION, writes(32), 1, writes(4)],
    bad: [['EINVAL', [SUBSCRIPTION, writes(32), 0, writes(4)]]],
  },
  random_get: { good: [writes(32), 32], bad: [] },
  sched_yield: { good: [], bad: [] },
  sock_accept: fd(
    [0, writes(4)],
    [
      ['EINVAL', ['loaded', 8, writes(4)]],
      ['ENOTSOCK', [root, 0, writes(4)]],
    ],
    listening,
  ),
  sock_recv: fd(
    [VECTOR, 1, 0, writes(4), writes(2)],
    [
      ['EINVAL', ['loaded', VECTOR, -1, 0, writes(4), writes(2)]],
      ['ENOTSOCK', [root, VECTOR, 1, 0, writes(4), writes(2)]],
    ],
    connected,
  ),
  sock_send: fd(
    [VECTOR, 1, 0, writes(4)],
    [
      ['EINVAL', ['loaded', VECTOR, -1, 0, writes(4)]],
      ['ENOTSOCK', [root, VECTOR, 1, 0, writes(4)]],
    ],
    connected,
  ),
  sock_shutdown: fd(
    [2],
    [
      ['EINVAL', ['loaded', 0]],
      ['ENOTSOCK', [root, 2]],
    ],
    connected,
  ),
};

const network = {
  handle(method: string): Promise<PortValue> {
    const connection = { connection: 7, localAddress: LOOPBACK, localPort: 1, address: LOOPBACK, port: 2 };
    if (method === 'tcpConnect' || method === 'tcpAccept') return Promise.resolve(connection);
    if (method === 'tcpRead') return Promise.resolve(Uint8Array.of(1, 2, 3, 4));
    return Promise.resolve(method === 'tcpListen' ? 3 : null);
  },
};

/** Runs a call after those before it; `place` says where pointer number `index` goes. */
async function endOf(
  name: string,
  { before = [] }: Row,
  args: readonly Argument[],
  place: (pointer: Pointer, index: number) => number,
): Promise<string> {
  const data: { offset: number; bytes: Uint8Array }[] = [{ offset: PATH, bytes: utf8Encode(TEXT) }];
  let index = 0;
  const placed = args.map((argument) => {
    if (typeof argument !== 'object') return argument;
    const at = place(argument, index++);
    const { bytes } = argument;
    // What does not fit into memory cannot be there either.
    if (bytes !== null && at >= 0 && at + bytes.length <= PAGE) data.push({ offset: at, bytes });
    return at;
  });
  const world = await KernelWorld.boot({
    network,
    apps: [
      {
        module: scriptModule([...before, wasi(name, ...placed)], data),
        capabilities: {
          MutableStorage: { SizeKB: 8 },
          AllowedConnections: ['127.0.0.1'],
          AllowedTcpServerPorts: [8080],
        },
        files: [{ path: `/${TEXT}`, bytes: utf8Encode('hello, compartment') }],
      },
    ],
  });
  await world.clock.advance(10);
  const code = world.reports[0]?.exitCode ?? -1;
  return Object.entries(ERRNO).find(([, errno]) => errno === code)?.[0] ?? `errno ${code}`;
}

const apart = (_: Pointer, index: number): number => 3072 + 256 * index;
const rows = Object.entries(ROWS);

describe('every call of WASI that is answered', () => {
  it('is in the table, with a pointer and a descriptor where its signature has room for one', () => {
    const answered = Object.entries(IMPORT_TABLE.wasi_snapshot_preview1)
      .filter(([name, row]: [string, ImportRow]) => /inside|waits/.test(row.answer) && name !== 'proc_exit')
      .map(([name]) => name);
    expect(rows.map(([name]) => name).sort()).toEqual(answered.sort());
    for (const [name, { good, descriptor }] of rows) {
      const row: ImportRow = IMPORT_TABLE.wasi_snapshot_preview1[name as Answered];
      expect(good.length, name).toBe(row.params.length);
      expect(descriptor === 0, name).toBe(/^(fd|path|sock)_/.test(name));
    }
  });

  it.each(rows)('%s succeeds, also with any of its pointers at the end of memory', async (name, row) => {
    expect(await endOf(name, row, row.good, apart)).toBe('success');
    const pointers = row.good.filter((argument) => typeof argument === 'object').length;
    for (let moved = 0; moved < pointers; moved++) {
      const atEnd = (pointer: Pointer, index: number): number =>
        index === moved ? PAGE - pointer.length : apart(pointer, index);
      expect(await endOf(name, row, row.good, atEnd), `pointer ${moved}`).toBe('success');
    }
  });

  it.each(rows)('%s is EFAULT with a pointer beyond it', async (name, row) => {
    for (const [moved, { length }] of row.good.filter((argument) => typeof argument === 'object').entries()) {
      if (length === 0) continue;
      for (const at of [PAGE - length + 1, PAGE, 0x7fff_fff0, -1, -length]) {
        const beyond = (pointer: Pointer, index: number): number =>
          index === moved ? at : apart(pointer, index);
        expect(await endOf(name, row, row.good, beyond), `pointer ${moved} at ${at}`).toBe('EFAULT');
      }
    }
  });

  it.each(rows.filter(([, { descriptor }]) => descriptor === 0))(
    '%s is EBADF for a descriptor that is none',
    async (name, row) => {
      for (const none of [99, 63, 64, -1, 0x7fff_ffff]) {
        expect(await endOf(name, row, [none, ...row.good.slice(1)], apart), String(none)).toBe('EBADF');
      }
    },
  );

  it.each(rows.filter(([, { bad }]) => bad.length > 0))('%s refuses wrong arguments', async (name, row) => {
    for (const [index, [errno, args]] of row.bad.entries())
      expect(await endOf(name, row, args, apart), `case ${index}`).toBe(errno);
  });

  it.each(rows.filter(([, { good }]) => good.includes(VECTOR)))(
    '%s is EFAULT with a vector that leads out of memory, and fits one that ends with it',
    async (name, row) => {
      const withVector = (at: number, length: number): readonly Argument[] =>
        row.good.map((argument) => (argument === VECTOR ? words(at, length) : argument));
      expect(await endOf(name, row, withVector(PAGE - 8, 8), apart)).toBe('success');
      for (const [at, length] of [
        [PAGE - 7, 8],
        [0, PAGE + 1],
        [-1, 8],
        [16, -1],
        [-8, -8],
      ] as const)
        expect(await endOf(name, row, withVector(at, length), apart), `${at}, ${length}`).toBe('EFAULT');
    },
  );
});

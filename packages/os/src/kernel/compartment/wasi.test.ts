import { utf8Decode, utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import type { IMPORT_TABLE } from '../import-table.ts';
import { KernelWorld } from '../testing/kernel-world.ts';
import { COMPONENT, imported, OUT, scriptModule, type Step } from '../testing/test-app.ts';
import { buildModule, op } from '../testing/wasm-builder.ts';
import { ERRNO, type ErrnoName } from './errno.ts';

/**
 * WASI preview 1 (`wasi_snapshot_preview1.witx`), call by call: what each gives, where it says so in memory, and with
 * which errno it refuses. What a compartment has no notion of is in `capabilities.test.ts`.
 */

type Call = keyof (typeof IMPORT_TABLE)['wasi_snapshot_preview1'];
/** Where calls write; what is there afterwards is what a test sees. */
const AT = 3000;
const SEEN = 256;
const VECTOR = 512;
const DUMP = 520;
const DIRECTORY = 3;
const FILE = 4;
const PATH = 2048;
const TEXT = utf8Encode('hello, compartment');

const wasi = (name: Call, ...args: Step['args']): Step => ({ call: ['wasi_snapshot_preview1', name], args });
const open = (flags = 0): Step => wasi('path_open', DIRECTORY, 0, PATH, 9, 0, 0n, 0n, flags, OUT);
const openMutable: Step = { call: ['sevenfold', 'mutable_open'], args: [OUT] };

interface Seen {
  readonly errno: string;
  readonly bytes: DataView;
}

function dataOf(path: string): { readonly offset: number; readonly bytes: Uint8Array }[] {
  const words = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
  return [
    { offset: PATH, bytes: utf8Encode(path) },
    // Two parts of four bytes at AT, for reads and writes.
    { offset: VECTOR, bytes: words(AT, 4) },
    { offset: 536, bytes: words(AT, 3, AT + 8, 5) },
    { offset: DUMP, bytes: words(AT, SEEN) },
    { offset: 2300, bytes: utf8Encode('written!') },
    { offset: 552, bytes: words(2300, 8) },
  ];
}

async function exitOf(steps: readonly Step[], path: string): Promise<{ exit: number; file: Uint8Array }> {
  const world = await KernelWorld.boot({
    apps: [
      {
        module: scriptModule(steps, dataOf(path)),
        capabilities: { MutableStorage: { SizeKB: 8 } },
        files: [
          { path: '/data/text', bytes: TEXT },
          { path: '/data/deep/more', bytes: new Uint8Array(3) },
        ],
      },
    ],
  });
  // Less than it takes to start again.
  await world.clock.advance(500);
  return {
    exit: world.reports[0]?.exitCode ?? -1,
    file: world.mutable.get(COMPONENT) ?? new Uint8Array(0),
  };
}

/** The errno of the last call, and the memory from AT on after it. */
async function see(steps: readonly Step[], path = 'data/text'): Promise<Seen> {
  const { exit } = await exitOf(steps, path);
  const dump = [openMutable, wasi('fd_write', 'loaded', DUMP, 1, 3900)];
  const { file } = await exitOf([...steps, ...dump], path);
  const name = Object.entries(ERRNO).find(([, value]) => value === exit)?.[0] ?? `errno ${exit}`;
  const bytes = new Uint8Array(SEEN);
  bytes.set(file.subarray(0, SEEN));
  return { errno: name, bytes: new DataView(bytes.buffer) };
}

const u32 = ({ bytes }: Seen, at = 0): number => bytes.getUint32(at, true);
const u64 = ({ bytes }: Seen, at = 0): bigint => bytes.getBigUint64(at, true);
const text = ({ bytes }: Seen, at: number, length: number): string =>
  utf8Decode(new Uint8Array(bytes.buffer, at, length));

describe('arguments and environment', () => {
  it('args_sizes_get, args_get', async () => {
    const sizes = await see([wasi('args_sizes_get', AT, AT + 4)]);
    // "/bin/app", "one", "två" with their ends.
    expect([sizes.errno, u32(sizes), u32(sizes, 4)]).toEqual(['success', 3, 18]);
    const given = await see([wasi('args_get', AT, AT + 16)]);
    expect([u32(given), u32(given, 4), u32(given, 8)]).toEqual([AT + 16, AT + 25, AT + 29]);
    expect(text(given, 16, 18)).toBe('/bin/app\0one\0två\0');
  });

  it('environ_sizes_get, environ_get: there is none', async () => {
    const sizes = await see([wasi('environ_sizes_get', AT, AT + 4)]);
    expect([sizes.errno, u32(sizes), u32(sizes, 4)]).toEqual(['success', 0, 0]);
    expect((await see([wasi('environ_get', AT, AT + 4)])).errno).toBe('success');
  });
});

describe('clocks', () => {
  it('clock_time_get: since 1970, and since some point that never goes back', async () => {
    expect(u64(await see([wasi('clock_time_get', 0, 0n, AT)]))).toBe(
      BigInt(Date.UTC(2027, 0, 1)) * 1_000_000n,
    );
    expect(u64(await see([wasi('clock_time_get', 1, 0n, AT)]))).toBe(0n);
  });

  it.each<Call>(['clock_time_get', 'clock_res_get'])('%s: no clocks of a process', async (name) => {
    for (const clock of [2, 3, 4, -1]) {
      const args = name === 'clock_time_get' ? [clock, 0n, AT] : [clock, AT];
      expect((await see([wasi(name, ...args)])).errno).toBe('EINVAL');
    }
  });

  it('clock_res_get: a millisecond', async () => {
    expect(u64(await see([wasi('clock_res_get', 1, AT)]))).toBe(1_000_000n);
  });
});

describe('the root of the image', () => {
  it('fd_prestat_get, fd_prestat_dir_name: one directory, `/`', async () => {
    const stat = await see([wasi('fd_prestat_get', DIRECTORY, AT)]);
    expect([stat.errno, u32(stat), u32(stat, 4)]).toEqual(['success', 0, 1]);
    const name = await see([wasi('fd_prestat_dir_name', DIRECTORY, AT, 1)]);
    expect(text(name, 0, 1)).toBe('/');
    expect((await see([wasi('fd_prestat_get', FILE, AT)])).errno).toBe('EBADF');
    expect((await see([wasi('fd_prestat_dir_name', DIRECTORY, AT, 0)])).errno).toBe('ENAMETOOLONG');
  });

  it('fd_readdir: entries with cookies, cut where the buffer ends', async () => {
    const listing = [wasi('path_open', DIRECTORY, 0, PATH, 4, 2, 0n, 0n, 0, OUT)];
    const all = await see([...listing, wasi('fd_readdir', FILE, AT, 200, 0n, AT + 200)]);
    expect(u32(all, 200)).toBe(24 + 4 + 24 + 4);
    expect([u64(all), u32(all, 16), all.bytes.getUint8(20), text(all, 24, 4)]).toEqual([1n, 4, 3, 'deep']);
    expect([u64(all, 28), all.bytes.getUint8(48), text(all, 52, 4)]).toEqual([2n, 4, 'text']);
    const second = await see([...listing, wasi('fd_readdir', FILE, AT, 200, 1n, AT + 200)]);
    expect([u32(second, 200), text(second, 24, 4)]).toEqual([28, 'text']);
    const cut = await see([...listing, wasi('fd_readdir', FILE, AT, 30, 0n, AT + 200)]);
    expect(u32(cut, 200)).toBe(30);
    const end = await see([...listing, wasi('fd_readdir', FILE, AT, 200, 2n, AT + 200)]);
    expect(u32(end, 200)).toBe(0);
    expect((await see([open(), wasi('fd_readdir', FILE, AT, 200, 0n, AT + 200)])).errno).toBe('ENOTDIR');
  });

  it('path_filestat_get, fd_filestat_get: kind and size', async () => {
    const file = await see([wasi('path_filestat_get', DIRECTORY, 0, PATH, 9, AT)]);
    expect([file.errno, file.bytes.getUint8(16), u64(file, 24), u64(file, 32)]).toEqual([
      'success',
      4,
      1n,
      BigInt(TEXT.length),
    ]);
    const directory = await see([wasi('fd_filestat_get', DIRECTORY, AT)]);
    expect(directory.bytes.getUint8(16)).toBe(3);
    expect((await see([wasi('path_filestat_get', DIRECTORY, 0, PATH, 8, AT)], 'data/not')).errno).toBe(
      'ENOENT',
    );
  });

  it.each<[string, number, bigint, ErrnoName | 'success']>([
    ['data/text', 0, 0n, 'success'],
    ['data', 2, 0n, 'success'],
    ['data/text', 2, 0n, 'ENOTDIR'],
    ['data/text', 1 | 4, 0n, 'EEXIST'],
    ['data/text', 1, 0n, 'success'],
    ['data/none', 1, 0n, 'EROFS'],
    ['data/text', 8, 0n, 'EROFS'],
    ['data/text', 0, 1n << 6n, 'EROFS'],
    ['data', 0, 1n << 6n, 'EISDIR'],
  ])('path_open: %s with flags %i and rights %i → %s', async (path, flags, rights, expected) => {
    const step = wasi('path_open', DIRECTORY, 0, PATH, path.length, flags, rights, 0n, 0, OUT);
    expect((await see([step], path)).errno).toBe(expected);
  });
});

describe('a file of the image', () => {
  const named = (...steps: readonly Step[]): Promise<Seen> =>
    see([wasi('path_open', DIRECTORY, 0, PATH, 9, 0, 0n, 0n, 0, OUT), ...steps]);

  it('fd_read: on from where it was, over several parts, and empty at the end', async () => {
    const first = await named(wasi('fd_read', FILE, 536, 2, AT + 100));
    expect([first.errno, u32(first, 100), text(first, 0, 3), text(first, 8, 5)]).toEqual([
      'success',
      8,
      'hel',
      'lo, c',
    ]);
    const end = await named(
      wasi('fd_seek', FILE, 0n, 2, AT + 50),
      wasi('fd_read', FILE, VECTOR, 1, AT + 100),
    );
    expect([end.errno, u32(end, 100)]).toEqual(['success', 0]);
  });

  it('fd_pread: anywhere, and the position stays', async () => {
    const seen = await named(
      wasi('fd_pread', FILE, VECTOR, 1, 7n, AT + 100),
      wasi('fd_tell', FILE, AT + 104),
    );
    expect([text(seen, 0, 4), u32(seen, 100), u64(seen, 104)]).toEqual(['comp', 4, 0n]);
    expect(u32(await named(wasi('fd_pread', FILE, VECTOR, 1, 1000n, AT + 100)), 100)).toBe(0);
    expect((await named(wasi('fd_pread', FILE, VECTOR, 1, -1n, AT + 100))).errno).toBe('EINVAL');
  });

  it('fd_seek, fd_tell: from the start, from here, from the end; never before the start', async () => {
    const size = BigInt(TEXT.length);
    expect(u64(await named(wasi('fd_seek', FILE, 5n, 0, AT)))).toBe(5n);
    expect(u64(await named(wasi('fd_seek', FILE, 5n, 0, AT), wasi('fd_seek', FILE, -2n, 1, AT)))).toBe(3n);
    expect(u64(await named(wasi('fd_seek', FILE, -1n, 2, AT)))).toBe(size - 1n);
    expect(u64(await named(wasi('fd_seek', FILE, 10n, 2, AT)))).toBe(size + 10n);
    expect((await named(wasi('fd_seek', FILE, -1n, 0, AT))).errno).toBe('EINVAL');
    expect((await named(wasi('fd_seek', FILE, 0n, 3, AT))).errno).toBe('EINVAL');
  });

  it('is not written', async () => {
    expect((await named(wasi('fd_write', FILE, VECTOR, 1, AT + 100))).errno).toBe('EBADF');
    expect((await named(wasi('fd_filestat_set_size', FILE, 0n))).errno).toBe('EINVAL');
  });

  it('fd_fdstat_get, fd_fdstat_set_flags: kind, flags and rights', async () => {
    const seen = await named(wasi('fd_fdstat_set_flags', FILE, 4), wasi('fd_fdstat_get', FILE, AT));
    expect([seen.bytes.getUint8(0), seen.bytes.getUint16(2, true)]).toEqual([4, 4]);
    // fd_seek and fd_read are among its rights, on a terminal's they are not both.
    expect(u64(seen, 8) & 0x6n).toBe(0x6n);
    const log = await see([wasi('fd_fdstat_get', 1, AT)]);
    expect([log.bytes.getUint8(0), u64(log, 8) & 0x24n]).toEqual([2, 0n]);
  });

  it('fd_close: gives the number back, once', async () => {
    expect((await named(wasi('fd_close', FILE), wasi('fd_close', FILE))).errno).toBe('EBADF');
    const again = await named(wasi('fd_close', FILE), open(), wasi('fd_tell', FILE, AT));
    expect(again.errno).toBe('success');
  });
});

describe('the mutable file', () => {
  it('fd_write, fd_pwrite, fd_filestat_set_size, fd_sync, fd_datasync', async () => {
    const steps = [
      openMutable,
      wasi('fd_write', 'loaded', 552, 1, AT + 100),
      wasi('fd_pwrite', 'loaded', 552, 1, 4n, AT + 104),
      wasi('fd_filestat_set_size', 'loaded', 10n),
      wasi('fd_sync', 'loaded'),
      wasi('fd_datasync', 'loaded'),
    ];
    const { exit, file } = await exitOf(steps, 'x');
    expect([exit, utf8Decode(file)]).toEqual([0, 'writwritte']);
  });
});

describe('waiting', () => {
  /** One subscription: 48 bytes at 64. */
  const subscribe = async (
    fields: { type: number; word: number; timeout?: bigint; flags?: number },
    ...before: readonly Step[]
  ): Promise<{ seen: Seen; time: number }> => {
    const record = new DataView(new ArrayBuffer(48));
    record.setBigUint64(0, 77n, true);
    record.setUint8(8, fields.type);
    record.setUint32(16, fields.word, true);
    record.setBigUint64(24, fields.timeout ?? 0n, true);
    record.setUint16(40, fields.flags ?? 0, true);
    const world = await KernelWorld.boot({
      apps: [
        {
          module: scriptModule(
            [
              ...before,
              wasi('poll_oneoff', 64, AT, 1, AT + 64),
              openMutable,
              wasi('fd_write', 'loaded', DUMP, 1, 3900),
            ],
            [...dataOf('data/text'), { offset: 64, bytes: new Uint8Array(record.buffer) }],
          ),
          capabilities: { MutableStorage: { SizeKB: 8 } },
          files: [{ path: '/data/text', bytes: TEXT }],
        },
      ],
    });
    while (world.reports.length === 0) await world.clock.advance(100);
    const bytes = new Uint8Array(SEEN);
    bytes.set(world.mutable.get(COMPONENT) ?? []);
    return {
      seen: { errno: 'success', bytes: new DataView(bytes.buffer) },
      time: world.reports[0]?.uptime ?? -1,
    };
  };
  const CLOCK = 0;
  const READ = 1;

  it('poll_oneoff: for a time, from now or at an instant', async () => {
    const relative = await subscribe({ type: CLOCK, word: 1, timeout: 1_500_000_000n });
    expect([relative.time, u32(relative.seen, 64), u64(relative.seen)]).toEqual([1500, 1, 77n]);
    const absolute = await subscribe({ type: CLOCK, word: 1, timeout: 2_000_000_000n, flags: 1 });
    expect(absolute.time).toBe(2000);
    const wall = BigInt(Date.UTC(2027, 0, 1) + 3000) * 1_000_000n;
    expect((await subscribe({ type: CLOCK, word: 0, timeout: wall, flags: 1 })).time).toBe(3000);
    // What lies in the past is due at once, but for a turn in which others run.
    expect((await subscribe({ type: CLOCK, word: 1, timeout: 0n, flags: 1 })).time).toBeLessThanOrEqual(1);
  });

  it('poll_oneoff: a file is always ready, a number that is none says so in its event', async () => {
    const file = await subscribe({ type: READ, word: FILE }, open());
    expect([u32(file.seen, 64), file.seen.bytes.getUint16(8, true)]).toEqual([1, 0]);
    const none = await subscribe({ type: READ, word: 40 });
    expect([u32(none.seen, 64), none.seen.bytes.getUint16(8, true), none.seen.bytes.getUint8(10)]).toEqual([
      1,
      ERRNO.EBADF,
      READ,
    ]);
  });

  it('poll_oneoff: for nothing, too much or a clock that is none is refused', async () => {
    expect((await see([wasi('poll_oneoff', 64, AT, 0, AT)])).errno).toBe('EINVAL');
    expect((await see([wasi('poll_oneoff', 64, AT, 129, AT)])).errno).toBe('EINVAL');
  });

  it('sched_yield: lets others run', async () => {
    expect((await see([wasi('sched_yield')])).errno).toBe('success');
  });
});

describe('entropy and the end', () => {
  it('random_get: as much as is asked for, and different each time', async () => {
    const seen = await see([wasi('random_get', AT, 32), wasi('random_get', AT + 32, 32)]);
    expect(seen.errno).toBe('success');
    expect(new Uint8Array(seen.bytes.buffer, 0, 32)).not.toEqual(new Uint8Array(seen.bytes.buffer, 32, 32));
    expect(new Uint8Array(seen.bytes.buffer, 0, 32).some((byte) => byte !== 0)).toBe(true);
  });

  it('proc_exit: ends with the low byte of its code, at once', async () => {
    for (const [code, expected] of [
      [0, 0],
      [7, 7],
      [255, 255],
      [256, 0],
      [-1, 255],
    ] as const) {
      const module = buildModule({
        imports: [imported('wasi_snapshot_preview1', 'proc_exit')],
        start: [...op.i32(code), ...op.call(0), ...op.unreachable],
      });
      const world = await KernelWorld.boot({ apps: [{ module }] });
      await world.clock.advance(1);
      expect(world.reports[0]?.exitCode).toBe(expected);
    }
  });
});

import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { IMPORT_TABLE, type ImportRow } from '../import-table.ts';
import { KernelWorld, TLS_ROOT, type WorldOptions } from '../testing/kernel-world.ts';
import { COMPONENT, OUT, scriptModule, TENANT, type Step, type TestApp } from '../testing/test-app.ts';
import { ERRNO, type ErrnoName } from './errno.ts';

const WASI = 'wasi_snapshot_preview1';
const PAGE = 65_536;
const PATH = 2048;
const HOST = 3000;
const VECTOR = 512;
const ROOT = 3;
const IDENTITY = { tenantId: TENANT, chain: [Uint8Array.of(9)], key: Uint8Array.of(8) };

const nameOf = (errno: number | null | undefined): string =>
  Object.entries(ERRNO).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;

/** The errno of the last of some calls, by an app with these capabilities. */
async function errnoOf(
  steps: readonly Step[],
  app: Omit<TestApp, 'module'> & { readonly path?: string; readonly host?: string } = {},
  options: WorldOptions & { readonly identity?: typeof IDENTITY } = {},
): Promise<{ errno: string; world: KernelWorld }> {
  const data = [
    { offset: PATH, bytes: utf8Encode(app.path ?? '') },
    { offset: HOST, bytes: utf8Encode(app.host ?? '') },
    // A gather list: 16 bytes at address 64.
    { offset: VECTOR, bytes: Uint8Array.of(64, 0, 0, 0, 16, 0, 0, 0) },
  ];
  const world = await KernelWorld.boot({ ...options });
  if (options.identity !== undefined) await world.services('setClientIdentity', options.identity);
  world.install({ ...app, module: scriptModule(steps, data) });
  await world.services('appInstalled', COMPONENT);
  await world.clock.advance(1);
  const [report] = world.reports;
  if (report?.kind === 'AppCrash') throw new Error(`The app trapped: ${report.trap}`);
  return { errno: nameOf(report?.exitCode), world };
}

const step = (module: Step['call'][0], name: string, ...args: Step['args']): Step => ({
  call: [module, name],
  args,
});
const gpioOpen = (pin: number, isOutput = 1, mode = 0, value = 0, out = OUT): Step =>
  step('sevenfold', 'gpio_open', pin, isOutput, mode, value, out);
const openPath = (path: string, flags = 0, rights = 0n): Step =>
  step(WASI, 'path_open', ROOT, 0, PATH, utf8Encode(path).length, flags, rights, 0n, 0, OUT);
const connect = (host: string, port = 8883, identity = 1): Step =>
  step('sevenfold', 'tls_connect', HOST, utf8Encode(host).length, port, identity, 0, OUT);

describe('GPIO', () => {
  const capabilities = { Gpio: [8, 70] };
  it.each<[string, ErrnoName | 'success', readonly Step[]]>([
    ['a pin of the manifest', 'success', [gpioOpen(8)]],
    ['a pin that it does not name', 'EACCES', [gpioOpen(9)]],
    ['a number that is no pin', 'EINVAL', [gpioOpen(-1)]],
    ['a pin of a block that the firewall keeps from apps', 'ENODEV', [gpioOpen(70)]],
    ['a pin that is open already', 'EBUSY', [gpioOpen(8), gpioOpen(8)]],
    ['a mode that does not exist', 'EINVAL', [gpioOpen(8, 1, 3)]],
    ['a value that does not exist', 'EINVAL', [gpioOpen(8, 1, 0, 2)]],
    ['an answer that points out of memory', 'EFAULT', [gpioOpen(8, 1, 0, 0, PAGE - 3)]],
    ['setting it', 'success', [gpioOpen(8), step('sevenfold', 'gpio_set', 'loaded', 1)]],
    ['setting it to 2', 'EINVAL', [gpioOpen(8), step('sevenfold', 'gpio_set', 'loaded', 2)]],
    ['setting an input: no effect', 'success', [gpioOpen(8, 0), step('sevenfold', 'gpio_set', 'loaded', 1)]],
    ['a descriptor that is none', 'EBADF', [step('sevenfold', 'gpio_set', 77, 1)]],
    ['a descriptor of another kind', 'EBADF', [step('sevenfold', 'gpio_get', ROOT, OUT)]],
    ['closing and opening again', 'success', [gpioOpen(8), step(WASI, 'fd_close', 'loaded'), gpioOpen(8)]],
  ])('%s → %s', async (_what, expected, steps) => {
    expect((await errnoOf(steps, { capabilities })).errno).toBe(expected);
  });

  it('is seen at the pin, and let go when the app ends', async () => {
    const { world } = await errnoOf([gpioOpen(8), step('sevenfold', 'gpio_set', 'loaded', 1)], {
      capabilities,
    });
    expect(world.pinChanges).toEqual([
      { pin: 8, level: 1, time: 0 },
      { pin: 8, level: 0, time: 0 },
    ]);
    expect(world.outputs).toEqual([]);
  });

  it('is denied to an app without the capability', async () => {
    expect((await errnoOf([gpioOpen(8)])).errno).toBe('EACCES');
  });
});

describe('TLS', () => {
  const app = (host: string, tenant: string | null = TENANT): Omit<TestApp, 'module'> & { host: string } => ({
    host,
    capabilities: {
      AllowedConnections: ['broker.test'],
      ...(tenant === null ? {} : { DeviceAuthentication: tenant }),
    },
  });
  const identity = IDENTITY;

  it('connects to a host of the manifest with the device’s certificate, which the app never sees', async () => {
    const { errno, world } = await errnoOf([connect('broker.test')], app('broker.test'), { identity });
    expect(errno).toBe('success');
    expect(world.servers[0]?.target).toEqual({
      host: 'broker.test',
      port: 8883,
      // Where the OS itself was told that it is; there is no proxy.
      address: 0x7f000001,
      proxy: null,
      serverName: 'broker.test',
      roots: [TLS_ROOT],
      clientChain: identity.chain,
      clientKey: identity.key,
    });
    // The app has ended: so has its connection.
    expect(world.servers[0]?.isClosed).toBe(true);
  });

  it('needs neither certificate nor capability where no certificate is asked for', async () => {
    const { errno, world } = await errnoOf([connect('broker.test', 443, 0)], app('broker.test', null));
    expect(errno).toBe('success');
    expect(world.servers[0]?.target).not.toHaveProperty('clientKey');
  });

  it.each<[string, ErrnoName, string, Step]>([
    ['a host that the manifest does not name', 'EACCES', 'evil.test', connect('evil.test')],
    ['a name that begins like an allowed one', 'EACCES', 'broker.test.evil', connect('broker.test.evil')],
    ['an address behind an allowed name', 'EACCES', '127.0.0.1', connect('127.0.0.1')],
    ['port 0', 'EINVAL', 'broker.test', connect('broker.test', 0)],
    ['port 65536', 'EINVAL', 'broker.test', connect('broker.test', 65_536)],
    ['an identity that does not exist', 'EINVAL', 'broker.test', connect('broker.test', 8883, 2)],
  ])('%s → %s', async (_what, expected, host, call) => {
    const { errno, world } = await errnoOf([call], app(host), { identity });
    expect(errno).toBe(expected);
    expect(world.servers).toEqual([]);
  });

  it('says EAGAIN while there is no certificate, and EACCES for one of another tenant or without the capability', async () => {
    const host = 'broker.test';
    expect((await errnoOf([connect(host)], app(host))).errno).toBe('EAGAIN');
    expect((await errnoOf([connect(host)], app(host, null), { identity })).errno).toBe('EACCES');
    const other = { ...identity, tenantId: '22222222-2222-4333-8444-555555555555' };
    expect((await errnoOf([connect(host)], app(host), { identity: other })).errno).toBe('EACCES');
  });

  it.each<[string, ErrnoName]>([
    ['ConnectionRefused', 'ECONNREFUSED'],
    ['ConnectionTimeout', 'ETIMEDOUT'],
    ['NameNotResolved', 'EHOSTUNREACH'],
    ['ServerNotTrusted', 'EPROTO'],
    ['HandshakeRefused', 'EPROTO'],
    ['Whatever', 'EIO'],
  ])('the network’s %s → %s', async (networkError, expected) => {
    expect(
      (await errnoOf([connect('broker.test')], app('broker.test'), { identity, networkError })).errno,
    ).toBe(expected);
  });

  it('tells the device id to apps with device authentication only', async () => {
    const ask = step('sevenfold', 'device_id', OUT, 65);
    expect((await errnoOf([ask], app('broker.test'))).errno).toBe('success');
    expect((await errnoOf([ask], app('broker.test', null))).errno).toBe('EACCES');
    expect((await errnoOf([step('sevenfold', 'device_id', OUT, 64)], app('broker.test'))).errno).toBe(
      'ERANGE',
    );
  });
});

describe('files', () => {
  const files = [{ path: '/data/text', bytes: utf8Encode('0123456789') }];
  it.each<[string, ErrnoName | 'success', Step]>([
    ['data/text', 'success', openPath('data/text')],
    ['data/../data/./text', 'success', openPath('data/../data/./text')],
    ['bin/app', 'success', openPath('bin/app')],
    ['data', 'success', openPath('data', 2)],
    ['nothing', 'ENOENT', openPath('nothing')],
    ['../flash', 'ENOENT', openPath('../flash')],
    ['../data/text', 'success', openPath('../data/text')],
    ['data/../../flash', 'ENOENT', openPath('data/../../flash')],
    ['/etc/passwd', 'ENOTCAPABLE', openPath('/etc/passwd')],
    ['data/text', 'EROFS', openPath('data/text', 0, 1n << 6n)],
    ['data/new', 'EROFS', openPath('data/new', 1)],
    ['data/text', 'EEXIST', openPath('data/text', 5)],
    ['data/text', 'ENOTDIR', openPath('data/text', 2)],
    ['__proto__', 'ENOENT', openPath('__proto__')],
  ])('opening %s → %s', async (path, expected, call) => {
    expect((await errnoOf([call], { files, path })).errno).toBe(expected);
  });

  it('are read-only, in order, and nowhere else', async () => {
    const path = 'data/text';
    const open = openPath(path);
    const tryIt = async (name: string, ...args: Step['args']): Promise<string> =>
      (await errnoOf([open, step(WASI, name, 'loaded', ...args)], { files, path })).errno;
    expect(await tryIt('fd_read', VECTOR, 1, 600)).toBe('success');
    expect(await tryIt('fd_write', VECTOR, 1, 600)).toBe('EBADF');
    expect(await tryIt('fd_seek', -1n, 0, 600)).toBe('EINVAL');
    expect(await tryIt('fd_seek', 3n, 7, 600)).toBe('EINVAL');
    expect(await tryIt('fd_read', PAGE - 4, 1, 600)).toBe('EFAULT');
    expect(await tryIt('fd_read', VECTOR, -1, 600)).toBe('EINVAL');
    expect(await tryIt('fd_filestat_set_size', 0n)).toBe('EINVAL');
  });
});

describe('mutable storage', () => {
  const capabilities = { MutableStorage: { SizeKB: 8 } };
  const open = step('sevenfold', 'mutable_open', OUT);
  const write = step(WASI, 'fd_write', 'loaded', VECTOR, 1, 600);

  it('is denied without the capability', async () => {
    expect((await errnoOf([open])).errno).toBe('EACCES');
    expect((await errnoOf([step('sevenfold', 'mutable_delete')])).errno).toBe('EACCES');
  });

  it('is in flash when a write has returned', async () => {
    const { errno, world } = await errnoOf([open, write], { capabilities });
    expect(errno).toBe('success');
    expect(world.mutable.get(COMPONENT)).toEqual(new Uint8Array(16));
  });

  it('goes with the app when that is removed, and with no update of it', async () => {
    const { world } = await errnoOf([open, write], { capabilities });
    await world.services('appInstalled', COMPONENT);
    expect(world.mutable.has(COMPONENT)).toBe(true);
    await world.services('appRemoved', COMPONENT);
    expect(world.mutable.has(COMPONENT)).toBe(false);
  });

  it('stays within its quota', async () => {
    const last = step(WASI, 'fd_pwrite', 'loaded', VECTOR, 1, 8176n, 600);
    const beyond = step(WASI, 'fd_pwrite', 'loaded', VECTOR, 1, 8177n, 600);
    expect((await errnoOf([open, last], { capabilities })).errno).toBe('success');
    expect((await errnoOf([open, beyond], { capabilities })).errno).toBe('EDQUOT');
    expect(
      (await errnoOf([open, step(WASI, 'fd_filestat_set_size', 'loaded', 8193n)], { capabilities })).errno,
    ).toBe('EDQUOT');
  });

  it('says EIO when the flash refuses, ENOENT and EBUSY when there is nothing to delete yet', async () => {
    const monitorFault = (method: string): void => {
      if (method === 'mutableWrite') throw Object.assign(new Error('worn out'), { code: 'FlashFailed' });
    };
    expect((await errnoOf([open], { capabilities }, { monitorFault })).errno).toBe('EIO');
    const remove = step('sevenfold', 'mutable_delete');
    expect((await errnoOf([remove], { capabilities })).errno).toBe('ENOENT');
    expect((await errnoOf([open, remove], { capabilities })).errno).toBe('EBUSY');
    expect((await errnoOf([open, step(WASI, 'fd_close', 'loaded'), remove], { capabilities })).errno).toBe(
      'success',
    );
  });
});

describe('timers and epoll', () => {
  const timer = step('sevenfold', 'timer_create', 1, 4, OUT);
  const epoll = step('sevenfold', 'epoll_create', OUT);
  it.each<[string, ErrnoName | 'success', readonly Step[]]>([
    ['a clock that does not exist', 'EINVAL', [step('sevenfold', 'timer_create', 9, 0, OUT)]],
    ['reading one that has not expired', 'EAGAIN', [timer, step(WASI, 'fd_read', 'loaded', VECTOR, 1, 600)]],
    ['setting a negative time', 'EINVAL', [timer, step('sevenfold', 'timer_set', 'loaded', 0, -1n, 0n)]],
    [
      'an epoll that watches itself',
      'EINVAL',
      [epoll, step('sevenfold', 'epoll_ctl', 'loaded', 1, 4, 1, 0n)],
    ],
    [
      'an epoll that watches a file',
      'EPERM',
      [epoll, step('sevenfold', 'epoll_ctl', 'loaded', 1, ROOT, 1, 0n)],
    ],
    ['edge triggering', 'EINVAL', [timer, epoll, step('sevenfold', 'epoll_ctl', 5, 1, 4, 0x80000001, 0n)]],
    [
      'adding twice',
      'EEXIST',
      [
        timer,
        epoll,
        step('sevenfold', 'epoll_ctl', 5, 1, 4, 1, 0n),
        step('sevenfold', 'epoll_ctl', 5, 1, 4, 1, 0n),
      ],
    ],
    ['removing what is not in', 'ENOENT', [timer, epoll, step('sevenfold', 'epoll_ctl', 5, 2, 4, 1, 0n)]],
    ['waiting without time', 'success', [epoll, step('sevenfold', 'epoll_wait', 'loaded', 600, 4, 0, 800)]],
  ])('%s → %s', async (_what, expected, steps) => {
    expect((await errnoOf(steps)).errno).toBe(expected);
  });

  it('gives an app 64 descriptors and no more', async () => {
    expect((await errnoOf(Array.from({ length: 60 }, () => timer))).errno).toBe('success');
    expect((await errnoOf(Array.from({ length: 61 }, () => timer))).errno).toBe('EMFILE');
  });
});

describe('the whole import table', () => {
  const rows = Object.entries(IMPORT_TABLE).flatMap(([module, imports]) =>
    Object.entries(imports).map(([name, row]: [string, ImportRow]) => ({ module, name, row })),
  );
  const called = rows.filter(({ name }) => name !== 'proc_exit' && name !== 'check_failed');
  const filled = ({ module, name, row }: (typeof rows)[number], value: number): Step =>
    step(module, name, ...Array.from(row.params, (type) => (type === 'I' ? BigInt(value) : value)));

  it('answers ENOSYS or ENOTCAPABLE where it says so, whatever the arguments', async () => {
    const quiet = called.filter(({ row }) => row.answer === 'unknown' || row.answer === 'never');
    expect(quiet.length).toBeGreaterThan(10);
    for (const each of quiet) {
      const expected = each.row.answer === 'unknown' ? 'ENOSYS' : 'ENOTCAPABLE';
      expect((await errnoOf([filled(each, 1)])).errno, each.name).toBe(expected);
    }
  });

  it('lets no argument reach past the memory or the compartment', async () => {
    for (const value of [-1, -2147483648, 2147483647, PAGE - 1, 0]) {
      for (const each of called) {
        const world = await KernelWorld.boot({
          apps: [
            {
              module: scriptModule([filled(each, value)]),
              capabilities: { Gpio: [8], MutableStorage: { SizeKB: 8 } },
            },
          ],
        });
        await world.clock.advance(1);
        // Ended by itself with an errno, or still waiting for what it asked for: never by a defect of the program beside it.
        const [report] = world.reports;
        expect(report?.kind ?? 'AppExit', `${each.name}(${value})`).toBe('AppExit');
        expect(await world.services('appList')).toHaveLength(1);
      }
    }
  });
});

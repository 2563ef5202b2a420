import { utf8Encode, type PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import type { IMPORT_TABLE } from '../import-table.ts';
import { KernelWorld } from '../testing/kernel-world.ts';
import { OUT, scriptModule, TENANT, type Step } from '../testing/test-app.ts';
import { ERRNO, type ErrnoName } from './errno.ts';

type Errno = ErrnoName | 'success';
type Manifest = Readonly<Record<string, unknown>>;
type Args = Step['args'];

/** One call of the table: what the manifest must name for it, and how it ends with that and without. */
interface Row {
  readonly args: Args;
  /** Calls before it. */
  readonly before?: readonly Step[];
  /** Null: it asks for no capability, and ends alike whatever the manifest names. */
  readonly needs: Manifest | null;
  /** With the capability, or always. */
  readonly ends: Errno;
  /** Without it, where that is not EACCES. */
  readonly denied?: Errno;
}

const NAME = 2048;
const CONFIG = 2200;
const PARTNER_AT = 2300;
const PARTNER = '005180bc-402f-4cb3-a662-72937dbcde47';
const VECTOR = 512;
const ROOT = 3;
const HOST = 'cloud.test';
const LAN = 0x0a000001;
const HOSTS = { AllowedConnections: [HOST, '10.0.0.1'] };
const SETTINGS = [0, 194, 1, 0, 8, 0, 1, 0];

const call = (name: string, ...args: Args): Step => ({ call: ['sevenfold', name], args });
const free = (ends: Errno, ...args: Args): Row => ({ args, needs: null, ends });
const needs = (manifest: Manifest, ends: Errno, ...args: Args): Row => ({ args, needs: manifest, ends });
/** A call on what another call opened: without the capability there is no such descriptor. */
const on = (manifest: Manifest, ends: Errno, open: Step, ...args: Args): Row => ({
  args: ['loaded', ...args],
  before: [open],
  needs: manifest,
  ends,
  denied: 'EBADF',
});

const gpio = { Gpio: [8] };
const pin = call('gpio_open', 8, 1, 0, 0, OUT);
const i2c = { I2cMaster: ['ISU1'] };
const openI2c = call('i2c_open', 1, OUT);
const spi = { SpiMaster: ['ISU2'] };
const openSpi = call('spi_open', 2, -1, 1, OUT);
const adc = { Adc: ['ADC-CONTROLLER-0'] };
const openAdc = call('adc_open', 0, OUT);
const pwm = { Pwm: ['PWM-CONTROLLER-0'] };
const openPwm = call('pwm_open', 0, OUT);
const storage = { MutableStorage: { SizeKB: 8 } };
const tcp = call('socket_open', 6, 0, OUT);
const udp = call('socket_open', 5, 0, OUT);
const server = { AllowedTcpServerPorts: [8080], AllowedUdpServerPorts: [8081] };
const timer = call('timer_create', 1, 4, OUT);
const events = { SystemEventNotifications: true };
const deferral = { ...events, SoftwareUpdateDeferral: true };

/** Every Applibs call but the one that does not return: one that is missing here does not compile. */
const APPLIBS: Record<Exclude<keyof (typeof IMPORT_TABLE)['sevenfold'], 'check_failed'>, Row> = {
  log_write: free('success', NAME, 5),
  gpio_open: needs(gpio, 'success', ...pin.args),
  gpio_get: on(gpio, 'success', pin, 3000),
  gpio_set: on(gpio, 'success', pin, 1),
  uart_open: needs({ Uart: ['ISU0'] }, 'success', 0, CONFIG, OUT),
  i2c_open: needs(i2c, 'success', ...openI2c.args),
  i2c_set_speed: on(i2c, 'success', openI2c, 100_000),
  i2c_set_timeout: on(i2c, 'success', openI2c, 100),
  i2c_set_target: on(i2c, 'success', openI2c, 0x20),
  // Nobody there: no acknowledgement.
  i2c_transfer: on(i2c, 'ENXIO', openI2c, 0x20, NAME, 1, 0, 0),
  spi_open: needs(spi, 'success', ...openSpi.args),
  spi_configure: on(spi, 'success', openSpi, 0, 1_000_000),
  spi_transfer: on(spi, 'success', openSpi, 4096, 0, 3000),
  adc_open: needs(adc, 'success', ...openAdc.args),
  adc_bits: on(adc, 'success', openAdc, 0, 3000),
  adc_reference: on(adc, 'success', openAdc, 0, 2500),
  adc_poll: on(adc, 'success', openAdc, 0, 3000),
  pwm_open: needs(pwm, 'success', ...openPwm.args),
  pwm_apply: on(pwm, 'success', openPwm, 0, 1000, 500, 0, 1),
  rtc_set: needs({ SystemTime: true }, 'success'),
  power_down: needs({ PowerControls: ['ForcePowerDown'] }, 'success', 60),
  power_profile: needs({ PowerControls: ['SetPowerProfile'] }, 'success', 1),
  // One of its operations; settings.test.ts walks them all.
  settings: needs({ CertStore: true }, 'success', 63, NAME, 0, 3000, 64, 3100),
  timer_create: free('success', 1, 0, OUT),
  timer_set: { before: [timer], ...free('success', 'loaded', 0, 1000n, 0n) },
  timer_get: { before: [timer], ...free('success', 'loaded', 3000) },
  epoll_create: free('success', OUT),
  epoll_ctl: { before: [timer, call('epoll_create', OUT)], ...free('success', 'loaded', 1, 4, 1, 0n) },
  epoll_wait: { before: [call('epoll_create', OUT)], ...free('success', 'loaded', 3000, 1, 0, 3100) },
  mutable_open: needs(storage, 'success', OUT),
  mutable_delete: needs(storage, 'ENOENT'),
  device_auth_ready: free('success', 3000),
  device_id: needs({ DeviceAuthentication: TENANT }, 'success', 3000, 100),
  tls_connect: needs(HOSTS, 'success', NAME, HOST.length, 443, 0, 0, OUT),
  // What is no PEM; whoever may not connect has no use for roots.
  tls_protocol: {
    before: [call('tls_connect', NAME, HOST.length, 443, 0, 0, OUT)],
    ...needs(HOSTS, 'success', 'loaded', 3000),
    denied: 'EBADF',
  },
  tls_connect_device: needs(
    { ...HOSTS, DeviceAuthentication: TENANT },
    'EAGAIN',
    NAME,
    HOST.length,
    443,
    NAME,
    0,
    0,
    OUT,
  ),
  // The device of these tests has no certificate: so far and no further.
  tls_listen: needs({ ...server, DeviceAuthentication: TENANT }, 'EAGAIN', 8080, 1, 0, OUT),
  tls_accept: free('EBADF', 99, 0, 3000, 129, OUT),
  // The network of these tests agrees on no HTTP/2.
  http2_open: {
    before: [call('tls_connect', NAME, HOST.length, 443, 0, 0, OUT)],
    ...needs(HOSTS, 'EINVAL', 'loaded', NAME, 5, NAME, -1, 0, OUT),
    denied: 'EBADF',
  },
  tls_roots: free('EINVAL', NAME, 5),
  socket_open: free('success', ...tcp.args),
  socket_address: { before: [tcp], ...free('success', 'loaded', 0, 3000) },
  socket_option_get: { before: [tcp], ...free('success', 'loaded', 1, 3000) },
  socket_option_set: { before: [tcp], ...free('success', 'loaded', 4, 1) },
  socket_bind: { before: [udp], ...needs(server, 'success', 'loaded', 0, 8081) },
  socket_connect: { before: [tcp], ...needs(HOSTS, 'success', 'loaded', LAN, 80) },
  socket_connect_host: {
    before: [tcp],
    ...needs(HOSTS, 'success', 'loaded', NAME, HOST.length, 80),
  },
  socket_listen: {
    before: [tcp, call('socket_bind', 4, 0, 8080)],
    ...needs(server, 'success', 'loaded', 1),
  },
  socket_send_to: { before: [udp], ...needs(HOSTS, 'success', 'loaded', NAME, 5, LAN, 80, 3000) },
  socket_receive_from: { before: [tcp], ...free('ENOTCONN', 'loaded', 3000, 5, 0, 3100, 3200) },
  // No such app is installed, but the manifest names it.
  app_connect: needs({ AllowedApplicationConnections: [PARTNER] }, 'ECONNREFUSED', PARTNER_AT, OUT),
  resolve: needs(HOSTS, 'success', NAME, HOST.length, 3000, 4, 3100),
  signal_watch: free('success', 1n << 15n),
  signal_next: free('success', 3000),
  system_event_open: needs(events, 'success', 7, OUT),
  // There is no update to put off: the capability is asked for first.
  system_event_defer: needs(deferral, 'EINVAL', 1, 10),
  system_event_resume: needs(deferral, 'EINVAL', 1),
  watchdog_set: free('success', 60_000),
  memory_usage: free('success', 3000),
  os_version: free('success', 3000, 16),
  time_set: needs({ SystemTime: true }, 'success', 1_800_000_000_000_000_000n),
  reboot: needs({ PowerControls: ['ForceReboot'] }, 'success'),
};

/** Every call of WASI: none of them asks for a capability. */
const WASI: Record<
  Exclude<keyof (typeof IMPORT_TABLE)['wasi_snapshot_preview1'], 'proc_exit'>,
  readonly [Errno, ...Args]
> = {
  args_get: ['success', 3000, 3100],
  args_sizes_get: ['success', 3000, 3100],
  environ_get: ['success', 3000, 3100],
  environ_sizes_get: ['success', 3000, 3100],
  clock_res_get: ['success', 1, 3000],
  clock_time_get: ['success', 1, 0n, 3000],
  fd_advise: ['success', ROOT, 0n, 0n, 0],
  fd_allocate: ['ENOTCAPABLE', ROOT, 0n, 0n],
  fd_close: ['success', ROOT],
  fd_datasync: ['success', ROOT],
  fd_fdstat_get: ['success', ROOT, 3000],
  fd_fdstat_set_flags: ['success', ROOT, 0],
  fd_fdstat_set_rights: ['ENOTCAPABLE', ROOT, 0n, 0n],
  fd_filestat_get: ['success', ROOT, 3000],
  fd_filestat_set_size: ['EINVAL', ROOT, 0n],
  fd_filestat_set_times: ['ENOTCAPABLE', ROOT, 0n, 0n, 0],
  fd_pread: ['ESPIPE', ROOT, VECTOR, 1, 0n, 3000],
  fd_prestat_get: ['success', ROOT, 3000],
  fd_prestat_dir_name: ['success', ROOT, 3000, 1],
  fd_pwrite: ['ESPIPE', ROOT, VECTOR, 1, 0n, 3000],
  fd_read: ['EISDIR', ROOT, VECTOR, 1, 3000],
  fd_readdir: ['success', ROOT, 3000, 200, 0n, 3300],
  fd_renumber: ['ENOSYS', ROOT, 9],
  fd_seek: ['ESPIPE', ROOT, 0n, 0, 3000],
  fd_sync: ['success', ROOT],
  fd_tell: ['ESPIPE', ROOT, 3000],
  fd_write: ['success', 1, VECTOR, 1, 3000],
  path_create_directory: ['ENOTCAPABLE', ROOT, NAME, 3],
  path_filestat_get: ['ENOENT', ROOT, 0, NAME, 5, 3000],
  path_filestat_set_times: ['ENOTCAPABLE', ROOT, 0, NAME, 5, 0n, 0n, 0],
  path_link: ['ENOTCAPABLE', ROOT, 0, NAME, 5, ROOT, NAME, 5],
  path_open: ['ENOENT', ROOT, 0, NAME, 5, 0, 0n, 0n, 0, OUT],
  path_readlink: ['ENOSYS', ROOT, NAME, 5, 3000, 100, 3200],
  path_remove_directory: ['ENOTCAPABLE', ROOT, NAME, 5],
  path_rename: ['ENOTCAPABLE', ROOT, NAME, 5, ROOT, NAME, 4],
  path_symlink: ['ENOTCAPABLE', NAME, 5, ROOT, NAME, 4],
  path_unlink_file: ['ENOTCAPABLE', ROOT, NAME, 5],
  poll_oneoff: ['success', 64, 3000, 1, 3200],
  proc_raise: ['ENOSYS', 15],
  random_get: ['success', 3000, 32],
  sched_yield: ['success'],
  sock_accept: ['ENOTSOCK', ROOT, 0, OUT],
  sock_recv: ['ENOTSOCK', ROOT, VECTOR, 1, 0, 3000, 3100],
  sock_send: ['ENOTSOCK', ROOT, VECTOR, 1, 0, 3000],
  sock_shutdown: ['ENOTSOCK', ROOT, 2],
};

/** Everything that a manifest may name for these calls. */
const EVERYTHING: Manifest = Object.fromEntries(
  Object.values(APPLIBS).flatMap((row) => Object.entries(row.needs ?? {})),
);

const network = {
  handle(method: string): Promise<PortValue> {
    if (method === 'resolveName') return Promise.resolve({ addresses: [LAN], ttl: 60 });
    if (method === 'tcpConnect' || method === 'tcpConnectHost')
      return Promise.resolve({ connection: 1, localAddress: 1, localPort: 1 });
    if (method === 'udpOpen') return Promise.resolve({ socket: 2, localAddress: 1, localPort: 1 });
    return Promise.resolve(method === 'tcpListen' ? 3 : null);
  },
};

async function endOf(steps: readonly Step[], capabilities: Manifest): Promise<string> {
  const data = [
    { offset: NAME, bytes: utf8Encode(HOST) },
    { offset: PARTNER_AT, bytes: utf8Encode(PARTNER.toUpperCase()) },
    { offset: CONFIG, bytes: Uint8Array.from(SETTINGS) },
    { offset: VECTOR, bytes: Uint8Array.of(64, 0, 0, 0, 16, 0, 0, 0) },
    // What `'loaded'` finds where nothing was opened: a descriptor that is none.
    { offset: OUT, bytes: Uint8Array.of(99) },
  ];
  const world = await KernelWorld.boot({
    network,
    apps: [{ module: scriptModule(steps, data), capabilities }],
  });
  await world.clock.advance(10);
  const code = world.reports[0]?.exitCode ?? -1;
  return Object.entries(ERRNO).find(([, errno]) => errno === code)?.[0] ?? `errno ${code}`;
}

describe('every Applibs call', () => {
  it.each(Object.entries(APPLIBS))('%s asks for what it needs, and for no more', async (name, row) => {
    const steps = [...(row.before ?? []), call(name, ...row.args)];
    // Restarting ends the app before it can say how it went, and so does powering down.
    const granted = name === 'reboot' || name === 'power_down' ? 'errno -1' : row.ends;
    expect(await endOf(steps, row.needs ?? EVERYTHING)).toBe(granted);
    expect(await endOf(steps, {})).toBe(row.needs === null ? row.ends : (row.denied ?? 'EACCES'));
    if (row.needs === null) return;
    // All the others are no substitute for the one; deferral cannot be named without notifications.
    const missing = new Set([...Object.keys(row.needs), 'SoftwareUpdateDeferral']);
    const others = Object.entries(EVERYTHING).filter(([field]) => !missing.has(field));
    expect(await endOf(steps, Object.fromEntries(others))).toBe(row.denied ?? 'EACCES');
  });
});

describe('every call of WASI', () => {
  it.each(Object.entries(WASI))(
    '%s ends alike, whatever the manifest names',
    async (name, [ends, ...args]) => {
      const steps: readonly Step[] = [{ call: ['wasi_snapshot_preview1', name], args }];
      expect(await endOf(steps, {})).toBe(ends);
      expect(await endOf(steps, EVERYTHING)).toBe(ends);
    },
  );
});

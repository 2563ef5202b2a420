/** Who answers a call of an application's module. */
type Answer =
  /** The compartment itself, at once. */
  | 'inside'
  /** The compartment itself, or the kernel over its port: the module may be suspended meanwhile. */
  | 'waits'
  /** Nobody: `ENOSYS`, what a compartment has no notion of. */
  | 'unknown'
  /** Nobody: `ENOTCAPABLE`, what would change something that is read-only for every app. */
  | 'never';

/** One import: its WebAssembly signature and who answers it. */
export interface ImportRow {
  /** `i` is i32, `I` is i64. */
  readonly params: string;
  /** `i`: an errno value of wasi-libc, 0 when the call succeeded; empty: does not return. */
  readonly result: 'i' | '';
  readonly answer: Answer;
}

const inside = (params: string): ImportRow & { answer: 'inside' } => ({
  params,
  result: 'i',
  answer: 'inside',
});
const waits = (params: string): ImportRow & { answer: 'waits' } => ({ params, result: 'i', answer: 'waits' });
const unknown = (params: string): ImportRow & { answer: 'unknown' } => ({
  params,
  result: 'i',
  answer: 'unknown',
});
const never = (params: string): ImportRow & { answer: 'never' } => ({ params, result: 'i', answer: 'never' });

/**
 * Everything an application's module may import: the whole system interface of a compartment.
 * A module that names anything else, or the same with another signature, is refused before it runs.
 */
export const IMPORT_TABLE = {
  /** WASI preview 1 (WebAssembly/WASI, `wasi_snapshot_preview1.witx`). */
  wasi_snapshot_preview1: {
    args_get: inside('ii'),
    args_sizes_get: inside('ii'),
    environ_get: inside('ii'),
    environ_sizes_get: inside('ii'),
    clock_res_get: inside('ii'),
    clock_time_get: inside('iIi'),
    fd_advise: inside('iIIi'),
    fd_allocate: never('iII'),
    fd_close: waits('i'),
    fd_datasync: inside('i'),
    fd_fdstat_get: inside('ii'),
    fd_fdstat_set_flags: inside('ii'),
    fd_fdstat_set_rights: never('iII'),
    fd_filestat_get: inside('ii'),
    fd_filestat_set_size: waits('iI'),
    fd_filestat_set_times: never('iIIi'),
    fd_pread: inside('iiiIi'),
    fd_prestat_get: inside('ii'),
    fd_prestat_dir_name: inside('iii'),
    fd_pwrite: waits('iiiIi'),
    fd_read: waits('iiii'),
    fd_readdir: inside('iiiIi'),
    fd_renumber: unknown('ii'),
    fd_seek: inside('iIii'),
    fd_sync: inside('i'),
    fd_tell: inside('ii'),
    fd_write: waits('iiii'),
    path_create_directory: never('iii'),
    path_filestat_get: inside('iiiii'),
    path_filestat_set_times: never('iiiiIIi'),
    path_link: never('iiiiiii'),
    path_open: inside('iiiiiIIii'),
    path_readlink: unknown('iiiiii'),
    path_remove_directory: never('iii'),
    path_rename: never('iiiiii'),
    path_symlink: never('iiiii'),
    path_unlink_file: never('iii'),
    poll_oneoff: waits('iiii'),
    proc_exit: { params: 'i', result: '', answer: 'inside' },
    proc_raise: unknown('i'),
    random_get: waits('ii'),
    sched_yield: waits(''),
    sock_accept: waits('iii'),
    sock_recv: waits('iiiiii'),
    sock_send: waits('iiiii'),
    sock_shutdown: waits('ii'),
  },
  /** What the Applibs of the SDK stand on; the application's half is packages/sdk/lib/host.h. */
  sevenfold: {
    check_failed: { params: 'i', result: '', answer: 'inside' },
    log_write: waits('ii'),
    gpio_open: waits('iiiii'),
    gpio_get: waits('ii'),
    gpio_set: waits('ii'),
    uart_open: waits('iii'),
    i2c_open: waits('ii'),
    i2c_set_speed: inside('ii'),
    i2c_set_timeout: inside('ii'),
    i2c_set_target: inside('ii'),
    i2c_transfer: waits('iiiiii'),
    spi_open: waits('iiii'),
    spi_configure: inside('iii'),
    spi_transfer: waits('iiii'),
    adc_open: waits('ii'),
    adc_bits: inside('iii'),
    adc_reference: inside('iii'),
    adc_poll: waits('iii'),
    pwm_open: waits('ii'),
    pwm_apply: waits('iiiiii'),
    rtc_set: waits(''),
    power_down: waits('i'),
    power_profile: waits('i'),
    settings: waits('iiiiii'),
    timer_create: inside('iii'),
    timer_set: inside('iiII'),
    timer_get: inside('ii'),
    epoll_create: inside('i'),
    epoll_ctl: inside('iiiiI'),
    epoll_wait: waits('iiiii'),
    mutable_open: waits('i'),
    mutable_delete: waits(''),
    device_auth_ready: waits('i'),
    device_id: waits('ii'),
    tls_connect: waits('iiiiii'),
    tls_roots: waits('ii'),
    tls_protocol: inside('ii'),
    tls_connect_device: waits('iiiiiii'),
    tls_listen: waits('iiii'),
    tls_accept: waits('iiiii'),
    http2_open: waits('iiiiiii'),
    socket_open: inside('iii'),
    socket_address: inside('iii'),
    socket_option_get: inside('iii'),
    socket_option_set: inside('iii'),
    socket_bind: waits('iii'),
    socket_connect: waits('iii'),
    socket_connect_host: waits('iiii'),
    socket_listen: waits('ii'),
    socket_send_to: waits('iiiiii'),
    socket_receive_from: waits('iiiiii'),
    resolve: waits('iiiii'),
    app_connect: waits('ii'),
    signal_watch: waits('I'),
    signal_next: inside('i'),
    system_event_open: waits('ii'),
    system_event_defer: waits('ii'),
    system_event_resume: waits('i'),
    watchdog_set: waits('i'),
    memory_usage: inside('i'),
    os_version: inside('ii'),
    time_set: waits('I'),
    reboot: waits(''),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, ImportRow>>>>;

type Table = typeof IMPORT_TABLE;
type ModuleName = keyof Table;

/** The names of one module's imports that are answered so: a binding that misses one does not compile. */
export type ImportsAnswered<M extends ModuleName, A extends Answer> = {
  [Name in keyof Table[M]]: Table[M][Name] extends { answer: A } ? Name : never;
}[keyof Table[M]];

/** Looks an import up; null when the table does not have it. */
export function findImport(moduleName: string, name: string): ImportRow | null {
  const modules: Readonly<Record<string, Readonly<Record<string, ImportRow>>>> = IMPORT_TABLE;
  if (!Object.hasOwn(modules, moduleName)) return null;
  const rows = modules[moduleName];
  return rows !== undefined && Object.hasOwn(rows, name) ? (rows[name] ?? null) : null;
}

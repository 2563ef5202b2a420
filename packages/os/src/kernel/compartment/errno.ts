/** Values of wasi-libc's `errno.h`, which are WASI's (`wasi_snapshot_preview1.witx`, errno). */
export const ERRNO = {
  success: 0,
  EACCES: 2,
  EADDRINUSE: 3,
  EAFNOSUPPORT: 5,
  EAGAIN: 6,
  EALREADY: 7,
  EBADF: 8,
  EBUSY: 10,
  ECONNABORTED: 13,
  ECONNREFUSED: 14,
  ECONNRESET: 15,
  EDESTADDRREQ: 17,
  EDQUOT: 19,
  EEXIST: 20,
  EFAULT: 21,
  EHOSTUNREACH: 23,
  EINPROGRESS: 26,
  EINTR: 27,
  EINVAL: 28,
  EIO: 29,
  EISCONN: 30,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  EMSGSIZE: 35,
  ENAMETOOLONG: 37,
  ENETDOWN: 38,
  ENETUNREACH: 40,
  ENOBUFS: 42,
  ENODEV: 43,
  ENOENT: 44,
  ENOMEM: 48,
  ENOPROTOOPT: 50,
  ENOSPC: 51,
  ENOSYS: 52,
  ENOTCONN: 53,
  ENOTDIR: 54,
  ENOTSOCK: 57,
  ENOTSUP: 58,
  ENXIO: 60,
  EPERM: 63,
  EPIPE: 64,
  EPROTO: 65,
  EPROTOTYPE: 67,
  ERANGE: 68,
  EROFS: 69,
  ESPIPE: 70,
  ETIMEDOUT: 73,
  ENOTCAPABLE: 76,
} as const;
export type ErrnoName = Exclude<keyof typeof ERRNO, 'success'>;

/** A host call's refusal: what the app sees as `errno`. Never leaves the compartment. */
export class CallRefused extends Error {
  readonly errno: number;
  constructor(name: ErrnoName) {
    super(name);
    this.errno = ERRNO[name];
  }
}

/** Codes of the kernel and of the board's network as the documented errno (azure-sphere.md §4.4, sevenfold/tls.h). */
const ERRNO_OF_CODE: Readonly<Record<string, ErrnoName>> = {
  AccessDenied: 'EACCES',
  BadArgument: 'EINVAL',
  BadText: 'EINVAL',
  NoSuchDevice: 'ENODEV',
  DeviceBusy: 'EBUSY',
  NotOpen: 'EBADF',
  BusBusy: 'EBUSY',
  NoAcknowledge: 'ENXIO',
  TransferTimeout: 'ETIMEDOUT',
  BadState: 'EINVAL',
  TooManyOpen: 'EMFILE',
  NoSuchFile: 'ENOENT',
  QuotaExceeded: 'EDQUOT',
  NotReady: 'EAGAIN',
  BadSetting: 'EINVAL',
  OutOfBounds: 'ERANGE',
  NotPermitted: 'EPERM',
  StoreFull: 'ENOSPC',
  OutOfMemory: 'ENOMEM',
  AlreadyThere: 'EEXIST',
  NotConnected: 'ENOTCONN',
  NotAllowedNow: 'EINVAL',
  StorageFailed: 'EIO',
  TooManySessions: 'EMFILE',
  NoSuchSession: 'EBADF',
  AddressInUse: 'EADDRINUSE',
  NameNotResolved: 'EHOSTUNREACH',
  ConnectionRefused: 'ECONNREFUSED',
  ConnectionTimeout: 'ETIMEDOUT',
  ConnectionLost: 'ECONNRESET',
  MessageTooLong: 'EMSGSIZE',
  ServerNotTrusted: 'EPROTO',
  HandshakeRefused: 'EPROTO',
  NetworkClosed: 'ENETDOWN',
  NetworkUnreachable: 'ENETUNREACH',
  ProxyRefused: 'ECONNABORTED',
};

function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}

/** Whether the kernel has ended this compartment: nothing more can be answered. */
export function isEnded(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'CallerNotAllowed' || code === 'StageStopped';
}

/** The errno for an error of a port. What is not a refusal of the table is EIO. */
export function errnoOf(error: unknown): number {
  if (error instanceof CallRefused) return error.errno;
  return ERRNO[ERRNO_OF_CODE[codeOf(error)] ?? 'EIO'];
}

import { viewOf } from '@sevenfold/formats';

/**
 * A seccomp filter (classic BPF, linux/seccomp.h) that takes from a process what no stage needs and what attacks on
 * neighbours and on the kernel begin with. Numbers are those of linux/arch's `unistd` tables: x86-64, and the generic
 * table that arm64 uses. Refused calls fail with EPERM.
 */
const REFUSED: Readonly<Record<string, readonly [x64: number | null, arm64: number | null]>> = {
  // Other processes' memory and threads.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  // Networks and messages, those on this machine included.
  socket: [41, 198],
  socketpair: [53, 199],
  bind: [49, 200],
  listen: [50, 201],
  accept: [43, 202],
  accept4: [288, 242],
  connect: [42, 203],
  msgget: [68, 186],
  shmget: [29, 194],
  semget: [64, 190],
  mq_open: [240, 180],
  // Other names, roots and privileges.
  unshare: [272, 97],
  setns: [308, 268],
  chroot: [161, 51],
  pivot_root: [155, 41],
  mount: [165, 40],
  umount2: [166, 39],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  mount_setattr: [442, 442],
  setuid: [105, 146],
  setgid: [106, 144],
  // Large and lively parts of the kernel.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  personality: [135, 92],
  // Programs. (The first one, Node itself, is started by execve after the filter holds.)
  execveat: [322, 281],
  fork: [57, null],
  vfork: [58, null],
  // Kernel and machine.
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  reboot: [169, 142],
  swapon: [167, 224],
  syslog: [103, 116],
  open_by_handle_at: [304, 265],
  // A way round all of the above where it is 32-bit or unknown to this table: see the head of the filter.
};

/** `clone`: threads are allowed, processes are not. `clone3` hides its flags from a filter: without it libc uses `clone`. */
const CLONE = { x64: 56, arm64: 220 } as const;
const CLONE3 = 435;
const CLONE_THREAD = 0x0001_0000;

const AUDIT_ARCH = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
/** Of the 32-bit numbers that an x86-64 kernel takes as well (x32). */
const X32_BIT = 0x4000_0000;
const EPERM = 1;
const ENOSYS = 38;
const RETURN = { allow: 0x7fff_0000, kill: 0x8000_0000, fail: 0x0005_0000 } as const;
/** Offsets in `struct seccomp_data`. */
const DATA = { number: 0, architecture: 4, firstArgument: 16 } as const;
const OP = { load: 0x20, equal: 0x15, atLeast: 0x35, anyBit: 0x45, ret: 0x06 } as const;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** The filter as `bwrap --seccomp` takes it; null for an architecture that has no table here. */
export function systemCallFilter(architecture: string): Uint8Array | null {
  if (architecture !== 'x64' && architecture !== 'arm64') return null;
  const column = architecture === 'x64' ? 0 : 1;
  const failIf = (number: number, error: number): Instruction[] => [
    [OP.equal, 0, 1, number],
    [OP.ret, 0, 0, RETURN.fail | error],
  ];
  const refused = Object.values(REFUSED)

    .map((row) => row[column])
    .filter((number) => number !== null);
  const program: readonly Instruction[] = [
    [OP.load, 0, 0, DATA.architecture],
    [OP.equal, 1, 0, AUDIT_ARCH[architecture]],
    [OP.ret, 0, 0, RETURN.kill],
    [OP.load, 0, 0, DATA.number],
    [OP.atLeast, 0, 1, X32_BIT],
    [OP.ret, 0, 0, RETURN.kill],
    ...refused.flatMap((number) => failIf(number, EPERM)),
    ...failIf(CLONE3, ENOSYS),
    // Any other call but clone: allowed. Clone: allowed for a thread.
    [OP.equal, 0, 3, CLONE[architecture]],
    [OP.load, 0, 0, DATA.firstArgument],
    [OP.anyBit, 1, 0, CLONE_THREAD],
    [OP.ret, 0, 0, RETURN.fail | EPERM],
    [OP.ret, 0, 0, RETURN.allow],
  ];
  const bytes = new Uint8Array(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    const view = viewOf(bytes.subarray(index * 8));
    view.setUint16(0, code, true);
    view.setUint8(2, ifTrue);
    view.setUint8(3, ifFalse);
    view.setUint32(4, value >>> 0, true);
  }
  return bytes;
}

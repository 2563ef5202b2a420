import { accessSync, constants, realpathSync } from 'node:fs';
import { systemCallFilter } from './system-call-filter.ts';

/** How a stage's process is started: a command that ends where the flags of Node begin. */
export interface Confinement {
  readonly command: string;
  readonly args: readonly string[];
  /** A filter of system calls to be given on descriptor 3; null without one. */
  readonly filter: Uint8Array | null;
  /** What holds the process, outermost first: for whoever wants to know. */
  readonly walls: readonly string[];
}

const BUBBLEWRAP = '/usr/bin/bwrap';
/** Where the shared libraries of Node are. */
const LIBRARIES = ['/lib', '/lib64', '/usr/lib', '/usr/lib64'];

let found: Confinement | null = null;

/**
 * The best that this machine has for a process without privileges. Tried once: bubblewrap may be there and not be
 * allowed to make namespaces. Node itself cannot set a filter or namespaces, so without bubblewrap its permission
 * model is the only wall, and that one is inside the process that it is to hold.
 */
export function confinement(): Confinement {
  found ??= bubblewrapped() ?? {
    command: process.execPath,
    args: [],
    filter: null,
    walls: ['permission model'],
  };
  return found;
}

function bubblewrapped(): Confinement | null {
  if (process.platform !== 'linux' || !isExecutable(BUBBLEWRAP)) return null;
  const node = realpathSync(process.execPath);
  const filter = systemCallFilter(process.arch);
  const namespaces = [
    // No user, process, network, mount or other name of the machine; no privilege; ends with the board.
    '--unshare-all',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
    '--clearenv',
    // Its whole file system: Node and its libraries, not to be written. No /proc, no /dev, no /tmp.
    '--ro-bind',
    node,
    '/node',
    ...LIBRARIES.flatMap((folder) => ['--ro-bind-try', folder, folder]),
    '--chdir',
    '/',
  ];
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const probe = spawnSync(BUBBLEWRAP, [...namespaces, '--', '/node', '--version'], {
    env: {},
    stdio: 'ignore',
    timeout: 5000,
  });
  if (probe.status !== 0) return null;
  return {
    command: BUBBLEWRAP,
    args: [...namespaces, ...(filter === null ? [] : ['--seccomp', '3']), '--', '/node'],
    filter,
    walls: [
      'bubblewrap: namespaces, no capabilities, no new privileges, read-only root without /proc',
      ...(filter === null ? [] : ['seccomp: filter of system calls']),
      'permission model',
    ],
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

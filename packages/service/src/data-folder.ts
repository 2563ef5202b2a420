import { chmodSync, mkdirSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { ServiceError } from './service-error.ts';

/** The ports of a service: devices and certificates name them, so they are chosen once. */
export interface Ports {
  readonly people: number;
  readonly device: number;
  readonly broker: number;
}

/** The folder that holds everything a service knows; one service a folder. */
export interface DataFolder {
  pathOf(name: string): string;
  /** The ports that were remembered, null before the first start. `DataFolderDamaged`. */
  readPorts(): Promise<Ports | null>;
  /** Durable when it resolves. */
  writePorts(ports: Ports): Promise<void>;
  /** Lets another service have the folder. */
  close(): void;
}

const LOCK_FILE = 'service.lock';
const PORTS_FILE = 'ports.json';
/** How long a start waits for the service before it to be gone. Ms. */
const LOCK_PATIENCE = 500;

/** The locks that this process has: one that nobody refers to would be closed, and free, at the next collection. */
const heldLocks = new Set<DatabaseSync>();

const port = z.int().min(1).max(65_535);
const portsSchema = z.strictObject({ people: port, device: port, broker: port });

/** Opens (or makes) the folder, mode 0700, and locks it: `DataFolderInUse` while another service has it. */
export function openDataFolder(folder: string): DataFolder {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const lock = lockFolder(path.join(folder, LOCK_FILE));
  const pathOf = (name: string): string => path.join(folder, name);
  return {
    pathOf,
    readPorts: () => readPorts(pathOf(PORTS_FILE)),
    writePorts: (ports) => replaceFile(folder, PORTS_FILE, `${JSON.stringify(ports)}\n`),
    close: () => {
      lock.close();
      heldLocks.delete(lock);
    },
  };
}

/**
 * A lock that dies with its process, whatever ends it: an SQLite transaction that is never committed. Node has no file
 * locks of its own.
 */
function lockFolder(file: string): DatabaseSync {
  const lock = new DatabaseSync(file, { timeout: LOCK_PATIENCE });
  try {
    chmodSync(file, 0o600);
    lock.exec('begin exclusive');
    heldLocks.add(lock);
    return lock;
  } catch (cause) {
    lock.close();
    throw new ServiceError('DataFolderInUse', 'Another service is running on this data folder.', {
      field: 'dataDir',
      rule: 'one service a folder',
      cause,
    });
  }
}

async function readPorts(file: string): Promise<Ports | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    return portsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ServiceError('DataFolderDamaged', `${PORTS_FILE} is damaged.`, {
      field: PORTS_FILE,
      rule: '{"people": port, "device": port, "broker": port}',
      cause,
    });
  }
}

/** Old or new, never half: written beside, synced, renamed, and the name synced. */
async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  const target = path.join(folder, name);
  const file = await open(`${target}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${target}.new`, target);
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

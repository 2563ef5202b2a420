import type { Clock, Port } from '@sevenfold/formats';
import type { CompartmentOptions } from '../compartment-calls.ts';
import type { FdTable } from './fd-table.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { ImageTree } from './image-files.ts';
import type { GuestEvents } from './guest-events.ts';
import type { LogFile } from './log-file.ts';
import type { Waker } from './waker.ts';

/** Everything that the host calls of one app work on. */
export interface Guest {
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly kernel: Port;
  readonly options: CompartmentOptions;
  readonly fds: FdTable;
  readonly tree: ImageTree;
  readonly log: LogFile;
  readonly waker: Waker;
  readonly events: GuestEvents;
}

import {
  encodeErrorReport,
  fitErrorReport,
  isBytes,
  type Clock,
  type ErrorReport,
  type Port,
} from '@sevenfold/formats';
import type { Application } from './application-image.ts';
import type { ApplicationEnd } from './compartments.ts';
import { withoutData } from './core-failure.ts';
import { KernelError } from './errors.ts';

/** A death of an app, as it is known when it happens. */
export interface Death {
  readonly application: Pick<Application, 'componentId' | 'imageId' | 'name'> & {
    /** Absent where the image was refused. */
    readonly capabilities?: Pick<Application['capabilities'], 'memorySnapshot'>;
  };
  readonly end: ApplicationEnd;
  /** Ms that it ran. */
  readonly uptime: number;
  /** Its last lines, oldest first. */
  readonly log: readonly string[];
}

/** Identical deaths within this time, and at most so many, are one report (azure-sphere.md §6.9). */
const WINDOW = 24 * 60 * 60 * 1000;
const MOST_MERGED = 8;
const NO_BYTES = new Uint8Array(0);
/** Bytes that `recordAppend` takes. */
const LARGEST_RECORD = 3800;

interface OpenReport {
  readonly record: number;
  readonly report: ErrorReport;
  /** Monotonic ms of the first death. */
  readonly since: number;
}

/** Writes every death to flash before anything else happens; the services upload from there. */
export class FailureLog {
  readonly #monitor: Port;
  readonly #clock: Clock;
  readonly #osVersion: string;
  /** The newest report of each kind of death that nobody has read yet, and that may still be added to. */
  readonly #open = new Map<string, OpenReport>();

  constructor(monitor: Port, clock: Clock, osVersion: string) {
    this.#monitor = monitor;
    this.#clock = clock;
    this.#osVersion = osVersion;
  }

  /** To be called when the records were listed: what may be on its way to the service is not changed any more. */
  freeze(): void {
    this.#open.clear();
  }

  /** Resolves when the death is in flash. */
  async append(death: Death): Promise<ErrorReport> {
    const signature = signatureOf(death);
    const open = this.#open.get(signature);
    const now = this.#clock.monotonic();
    const merges = open !== undefined && now - open.since < WINDOW && open.report.count < MOST_MERGED;
    const report = this.#reportOf(
      death,
      merges ? open.report.reportId : await this.#newId(),
      merges ? open.report.count + 1 : 1,
    );
    const record = await this.#monitor.call('recordAppend', encodeErrorReport(report));
    if (typeof record !== 'number') throw new KernelError('BadReply', 'The monitor gave no record id.');
    if (merges && this.#open.get(signature) !== open) {
      // Listed meanwhile: the older one is on its way as it is, so this death is a report of its own.
      await this.#monitor.call('recordRemove', [record]);
      return this.append(death);
    }
    this.#open.set(signature, { record, report, since: merges ? open.since : now });
    if (merges) await this.#monitor.call('recordRemove', [open.record]);
    return report;
  }

  async #newId(): Promise<Uint8Array> {
    const id = await this.#monitor.call('random', 16);
    if (!isBytes(id)) throw new KernelError('BadReply', 'The monitor gave no random bytes.');
    return id;
  }

  #reportOf({ application, end, uptime, log }: Death, reportId: Uint8Array, count: number): ErrorReport {
    const { capabilities } = application;
    return fitErrorReport(
      {
        reportId,
        kind: end.kind === 'exit' ? 'AppExit' : 'AppCrash',
        componentId: application.componentId,
        imageId: application.imageId,
        osVersion: this.#osVersion,
        time: Math.floor(this.#clock.now() / 1000),
        uptime: Math.round(uptime),
        trap: end.kind === 'trap' ? end.trap : null,
        exitCode: end.kind === 'exit' ? end.exitCode : null,
        frames: end.kind === 'trap' ? end.frames : [],
        log,
        count,
        ...(end.kind === 'trap' && end.core !== undefined
          ? { core: capabilities?.memorySnapshot === true ? end.core : withoutData(end.core) }
          : {}),
        ...(end.kind === 'trap' && end.memory !== undefined
          ? {
              memory: capabilities?.memorySnapshot === true ? end.memory : { ...end.memory, stack: NO_BYTES },
            }
          : {}),
      },
      LARGEST_RECORD,
    );
  }
}

/** What makes two deaths the same: app, build, and how and where it ended. */
function signatureOf({ application, end }: Death): string {
  const how =
    end.kind === 'exit'
      ? `exit ${end.exitCode}`
      : `${end.trap} ${end.frames.map((frame) => `${frame.function}:${frame.offset}`).join(' ')}`;
  return `${application.imageId} ${how}`;
}

import type { Clock } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';

/** `SysEvent_Events` (azure-sphere.md §4.4, applibs/sysevent.h). */
const SYSTEM_EVENT = { updateReady: 1, updateStarted: 2, noUpdate: 4 } as const;
const ALL_EVENTS = 7;
/** `SysEvent_Status` and `SysEvent_UpdateType`. */
const STATUS = { pending: 1, final: 2, deferred: 3, complete: 4 } as const;
const UPDATE_TYPE = { none: 0, application: 1, system: 2 } as const;

/** Ms in which apps may answer to a pending update, from its first announcement how long they may put it off. */
const ANSWER_TIME = 10_000;
const LONGEST_DEFERRAL = 24 * 60 * 60 * 1000;
const MINUTE = 60_000;

interface PendingUpdate {
  readonly type: 'application' | 'system';
  /** Monotonic ms of the first announcement. */
  readonly since: number;
  /** Monotonic ms until which it is put off; null: it is not. */
  deferredUntil: number | null;
  /** Apps are being asked right now. */
  isAsking: boolean;
}

/** Tells apps that registered what becomes of updates, and lets those that may put them off. */
export class SystemEvents {
  readonly #clock: Clock;
  readonly #masks = new Map<Compartment, number>();
  #update: PendingUpdate | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  register(compartment: Compartment, mask: number): void {
    this.#requireCapability(compartment, 'systemEventNotifications');
    if (mask < 1 || mask > ALL_EVENTS || this.#masks.has(compartment))
      throw new KernelError('NotAllowedNow', 'One registration at a time, for events that exist.');
    this.#masks.set(compartment, mask);
  }

  /** Whoever ended, or no longer listens. */
  forget(compartment: Compartment): void {
    this.#masks.delete(compartment);
  }

  /** Puts the pending update off, so many minutes from now, at most a day from its first announcement. */
  defer(compartment: Compartment, event: number, minutes: number): void {
    this.#requireCapability(compartment, 'softwareUpdateDeferral');
    const update = this.#pending(event);
    if (!update.isAsking)
      throw new KernelError(
        'NotAllowedNow',
        'The update waits for no answer: it can be put off while it is pending.',
      );
    const wanted = this.#clock.monotonic() + minutes * MINUTE;
    update.deferredUntil = Math.max(
      update.deferredUntil ?? 0,
      Math.min(wanted, update.since + LONGEST_DEFERRAL),
    );
  }

  /** Ends a deferral early. */
  resume(compartment: Compartment, event: number): void {
    this.#requireCapability(compartment, 'softwareUpdateDeferral');
    this.#pending(event).deferredUntil = null;
  }

  /** Nothing to install, a download that began, or an app update that is done. */
  announce(state: 'none' | 'started' | 'complete'): void {
    if (state === 'complete') {
      this.#update = null;
      this.#tell(SYSTEM_EVENT.updateReady, STATUS.complete, UPDATE_TYPE.application, 0);
    } else if (state === 'none') this.#tell(SYSTEM_EVENT.noUpdate, STATUS.final, UPDATE_TYPE.none, 0);
    else this.#tell(SYSTEM_EVENT.updateStarted, STATUS.final, UPDATE_TYPE.none, 0);
  }

  /**
   * Asks apps whether an update may be installed now. Gives the ms for which they put it off; 0: now. The first time
   * they have a moment to answer; while it is put off they are not asked again.
   */
  async ready(type: 'application' | 'system'): Promise<number> {
    const now = this.#clock.monotonic();
    if (this.#update?.type !== type)
      this.#update = { type, since: now, deferredUntil: null, isAsking: false };
    const update = this.#update;
    const left = this.#left(update);
    if (left > 0) return left;
    const most = Math.max(0, Math.floor((update.since + LONGEST_DEFERRAL - now) / MINUTE));
    if (most > 0 && this.#mayDefer()) {
      update.isAsking = true;
      this.#tell(SYSTEM_EVENT.updateReady, STATUS.pending, UPDATE_TYPE[type], most);
      await this.#clock.sleep(ANSWER_TIME);
      update.isAsking = false;
      const deferred = this.#left(update);
      if (deferred > 0) {
        this.#tell(SYSTEM_EVENT.updateReady, STATUS.deferred, UPDATE_TYPE[type], 0);
        return deferred;
      }
    }
    this.#update = null;
    this.#tell(SYSTEM_EVENT.updateReady, STATUS.final, UPDATE_TYPE[type], 0);
    return 0;
  }

  #left({ deferredUntil }: PendingUpdate): number {
    return Math.max(0, (deferredUntil ?? 0) - this.#clock.monotonic());
  }

  #mayDefer(): boolean {
    return [...this.#masks].some(
      ([{ application }, mask]) =>
        (mask & SYSTEM_EVENT.updateReady) !== 0 && application.capabilities.softwareUpdateDeferral,
    );
  }

  #pending(event: number): PendingUpdate {
    if (event !== SYSTEM_EVENT.updateReady || this.#update === null)
      throw new KernelError('NotAllowedNow', 'There is no such event to put off.');
    return this.#update;
  }

  #tell(event: number, status: number, updateType: number, minutes: number): void {
    for (const [compartment, mask] of this.#masks)
      if ((mask & event) !== 0)
        compartment.events.push({ kind: 'system', event, status, updateType, minutes });
  }

  #requireCapability(
    { application }: Compartment,
    name: 'systemEventNotifications' | 'softwareUpdateDeferral',
  ): void {
    if (!application.capabilities[name]) {
      const field = name === 'softwareUpdateDeferral' ? 'SoftwareUpdateDeferral' : 'SystemEventNotifications';
      throw new KernelError('AccessDenied', `The manifest does not name ${field}.`, {
        field: `Capabilities.${field}`,
      });
    }
  }
}

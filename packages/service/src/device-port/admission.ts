import { ServiceError } from '../service-error.ts';

/** How much of one thing is done at once. */
export interface AdmissionLimit {
  /** Devices let in a second: what the machine can do with some room to spare. */
  readonly perSecond: number;
  /** For so long (ms) a device that was let in may go on without another place; 0 unless told. */
  readonly goesOnFor?: number;
}

/** Nobody is asked back earlier than this: seconds. What is free until then is for those who come without being asked. */
const EARLIEST_RETURN = 5;
/** Slots that are planned ahead, seconds: a day. Later ones are told this much, and asked again then. */
const FARTHEST_RETURN = 24 * 3600;
/** How long after its time an appointment is kept: clocks drift and networks are slow. Ms. */
const KEPT_FOR = 10 * 60_000;
/** How often what is over is forgotten. Ms. */
const SWEEP_EVERY = 60_000;
const SECOND = 1000;

/** Turned away for now: before `retryAfter` seconds from now it would be in vain. */
export class TooSoon extends ServiceError {
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number, rule: string) {
    super('TooManyRequests', message, { rule });
    this.retryAfter = retryAfter;
  }
}

/** Turned away with an appointment: `retryAfter` seconds from now a place is held. */
export class TurnedAway extends TooSoon {
  constructor(retryAfter: number) {
    super(
      `Too many devices come at once; a place is held in ${retryAfter} s.`,
      retryAfter,
      'come back after Retry-After, not earlier',
    );
  }
}

/**
 * Admission under load to one thing that devices do. Time is cut into slots of a second, each with so many places. Who finds no free
 * place now gets the next free one as an appointment, in the order of coming: it is told as `Retry-After`, held for this
 * very device, and kept. So a queue drains at the full rate, nobody overtakes, nobody starves; and a device that asks
 * again and again holds one place.
 *
 * Only a device that has just proved who it is comes as far as this: places cannot be filled with made-up names, and
 * nobody can use up another's. What is remembered is bounded by a day's places.
 */
export class Admission {
  readonly #limit: AdmissionLimit;
  readonly #clock: { now(): number };
  /** Slot (second since 1970) → places taken or held. */
  readonly #taken = new Map<number, number>();
  /** Device → when (ms) its place is. */
  readonly #appointments = new Map<string, number>();
  /** Device → until when (ms) it may go on with what it has begun. */
  readonly #begun = new Map<string, number>();
  /** No slot before this one, but for the present one, has a free place. */
  #nextFree = 0;
  #sweepAt = 0;

  constructor(limit: AdmissionLimit, clock: { now(): number }) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Lets the device in, or throws `TurnedAway` with its appointment. */
  admit(deviceId: string): void {
    const now = this.#clock.now();
    this.#sweep(now);
    if (now < (this.#begun.get(deviceId) ?? 0)) return;
    this.#requirePlace(deviceId, now);
    const { goesOnFor = 0 } = this.#limit;
    if (goesOnFor > 0) this.#begun.set(deviceId, now + goesOnFor);
  }

  /** Devices for which a place is held. */
  get waiting(): number {
    return this.#appointments.size;
  }

  #requirePlace(deviceId: string, now: number): void {
    const appointment = this.#appointments.get(deviceId);
    if (appointment !== undefined && now >= appointment) {
      this.#appointments.delete(deviceId);
      if (now <= appointment + KEPT_FOR) return;
    } else if (appointment !== undefined) {
      throw new TurnedAway(Math.ceil((appointment - now) / SECOND));
    }
    const slot = Math.floor(now / SECOND);
    if (this.#take(slot)) return;
    throw new TurnedAway(this.#hold(deviceId, slot, now));
  }

  #take(slot: number): boolean {
    const taken = this.#taken.get(slot) ?? 0;
    if (taken >= this.#limit.perSecond) return false;
    this.#taken.set(slot, taken + 1);
    return true;
  }

  /** Holds the first free place for the device; seconds until then. */
  #hold(deviceId: string, slot: number, now: number): number {
    const last = slot + FARTHEST_RETURN;
    this.#nextFree = Math.max(this.#nextFree, slot + EARLIEST_RETURN);
    while (this.#nextFree <= last && !this.#take(this.#nextFree)) this.#nextFree += 1;
    // A day's places are held: more cannot be promised to anybody.
    if (this.#nextFree > last) return FARTHEST_RETURN;
    const time = this.#nextFree * SECOND;
    this.#appointments.set(deviceId, time);
    return Math.ceil((time - now) / SECOND);
  }

  #sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_EVERY;
    const present = Math.floor(now / SECOND);
    for (const slot of this.#taken.keys()) if (slot < present) this.#taken.delete(slot);
    for (const [deviceId, time] of this.#appointments) {
      if (now > time + KEPT_FOR) this.#appointments.delete(deviceId);
    }
    for (const [deviceId, until] of this.#begun) if (now >= until) this.#begun.delete(deviceId);
  }
}

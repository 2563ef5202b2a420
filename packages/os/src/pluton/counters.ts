import {
  COUNTERS,
  FLASH_MAP,
  FLASH_PAGE,
  FLASH_SECTOR,
  NORMAL_WORLD_COUNTERS,
  concatBytes,
  equalBytes,
  toProblem,
  utf8Encode,
  viewOf,
  type CounterName,
} from '@sevenfold/formats';
import { PlutonError } from './errors.ts';
import type { PlutonHardwarePort } from './hardware.ts';

const { offset: REGION, length: REGION_LENGTH } = FLASH_MAP.plutonState;
const PAGES = REGION_LENGTH / FLASH_PAGE;
const PAGES_A_SECTOR = FLASH_SECTOR / FLASH_PAGE;
const MAGIC = 0x31544353; // "SCT1", little-endian
const BODY = 20 + COUNTERS.length * 8;
const LABEL = utf8Encode('sevenfold counters v1\0');
/** In epoch n no counter is lower than n × this: so far a value jumps when the record of an epoch is lost. */
const EPOCH_STEP = 2 ** 32;
/** Each record is written twice, so that one bit that flips takes no record away. */
const COPIES = 2;
/** Pages that are tried for one copy before flash is taken for broken. */
const TRIES = 3;
/** The normal world counts up so often at once, and then once in so many ms: flash bears that for ten years. */
const BURST = 64;
const MS_A_COUNT = 120_000;

/** All counters at one moment. */
interface Snapshot {
  readonly epoch: number;
  /** Orders the records of an epoch. */
  readonly sequence: number;
  /** By index in `COUNTERS`. */
  readonly values: readonly number[];
  /** Sum of the values with which the epoch began: an anchor burns no fuse for nothing. */
  readonly anchored: number;
}

/**
 * Pluton's monotonic counters: records in a ring of flash pages, each authenticated and of an epoch. Only records of
 * the fused epoch count, and of those the newest. Who replaces the flash by an older copy of the same epoch sets the
 * counters back to it; an older epoch, or nothing, burns the next epoch, whose values all lie above every value that
 * was ever told (docs/decisions/0018).
 */
export class Counters {
  readonly #hardware: PlutonHardwarePort;
  readonly #clock: { monotonic(): number };
  #present: Snapshot | null = null;
  /** Page after the newest record. */
  #page = 0;
  #usedUpTo = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(hardware: PlutonHardwarePort, clock: { monotonic(): number }) {
    this.#hardware = hardware;
    this.#clock = clock;
  }

  /** The value, counted up before if so asked. Throws `CounterTooFast`, `CountersExhausted`, `StateUnwritable`. */
  async counter(name: CounterName, increment: boolean): Promise<number> {
    return this.#serially(async () => {
      const index = COUNTERS.indexOf(name);
      let present = await this.#opened();
      if (increment) {
        this.#spend(name);
        if (present.epoch === 0) present = await this.#nextEpoch(present);
        const values = present.values.map((value, at) => (at === index ? value + 1 : value));
        present = await this.#store({ ...present, sequence: present.sequence + 1, values });
      }
      return present.values[index] ?? 0;
    });
  }

  /** Burns the next epoch with the values as they are, if any was counted up in this one. */
  async anchor(): Promise<null> {
    return this.#serially(async () => {
      const present = await this.#opened();
      if (present.epoch > 0 && sum(present.values) !== present.anchored) await this.#nextEpoch(present);
      return null;
    });
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => {});
    return next;
  }

  /** GCRA (ITU-T I.371), as for the mutable storage of apps: the normal world may be hostile, and flash wears out. */
  #spend(name: CounterName): void {
    if (!NORMAL_WORLD_COUNTERS.some((known) => known === name)) return;
    const now = this.#clock.monotonic();
    const usedUpTo = Math.max(this.#usedUpTo, now) + MS_A_COUNT;
    if (usedUpTo - now > BURST * MS_A_COUNT) {
      throw new PlutonError('CounterTooFast', `The counter ${name} is counted up too often.`, {
        rule: `${BURST} times at once, then once in ${MS_A_COUNT / 1000} s`,
      });
    }
    this.#usedUpTo = usedUpTo;
  }

  /** Reads the state once; a state that was lost or set back to another epoch is replaced by the next epoch. */
  async #opened(): Promise<Snapshot> {
    if (this.#present !== null) return this.#present;
    const { stateEpoch } = await this.#hardware.fuses();
    const region = await this.#hardware.readFlash(REGION, REGION_LENGTH);
    let newest: Snapshot | null = null;
    for (let page = 0; page < PAGES; page++) {
      const record = await this.#parse(region.subarray(page * FLASH_PAGE, (page + 1) * FLASH_PAGE));
      if (record === null || record.epoch !== stateEpoch) continue;
      if (newest !== null && record.sequence < newest.sequence) continue;
      newest = record;
      this.#page = page + 1;
    }
    if (newest !== null || stateEpoch === 0) {
      this.#present = newest ?? { epoch: 0, sequence: 0, values: COUNTERS.map(() => 0), anchored: 0 };
      return this.#present;
    }
    const values = COUNTERS.map(() => (stateEpoch + 1) * EPOCH_STEP);
    return this.#nextEpoch({ epoch: stateEpoch, sequence: 0, values, anchored: 0 });
  }

  /**
   * Writes the values as the first of the next epoch, and only then burns it: a cut in between leaves the present
   * epoch whole, and a record that does not count yet.
   */
  async #nextEpoch({ epoch, sequence, values }: Snapshot): Promise<Snapshot> {
    const next = { epoch: epoch + 1, sequence: sequence + 1, values, anchored: sum(values) };
    await this.#program(next);
    try {
      await this.#hardware.raiseStateEpoch();
    } catch (error) {
      if (toProblem(error).code !== 'FuseOneWay') throw error;
      throw new PlutonError('CountersExhausted', 'The counters have no epoch left.', { cause: error });
    }
    this.#present = next;
    return next;
  }

  async #store(next: Snapshot): Promise<Snapshot> {
    await this.#program(next);
    this.#present = next;
    return next;
  }

  /** Puts a record on the next free pages, and reads it back before it counts. */
  async #program(record: Snapshot): Promise<void> {
    const bytes = await this.#encode(record);
    for (let copy = 0; copy < COPIES; copy++) await this.#programCopy(bytes);
  }

  async #programCopy(bytes: Uint8Array): Promise<void> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      try {
        const page = await this.#freePage();
        this.#page = page + 1;
        await this.#hardware.programFlash(REGION + page * FLASH_PAGE, bytes);
        const found = await this.#hardware.readFlash(REGION + page * FLASH_PAGE, bytes.length);
        if (equalBytes(found, bytes)) return;
      } catch (error) {
        if (toProblem(error).code !== 'FlashWorn') throw error;
        // This sector takes nothing any more: on to the next one.
        this.#page = (Math.floor(this.#page / PAGES_A_SECTOR) + 1) * PAGES_A_SECTOR;
      }
    }
    throw new PlutonError('StateUnwritable', 'Flash does not take the counters.', {
      rule: `one of ${TRIES} pages`,
    });
  }

  /** The next blank page of the sector, or the first of the next sector, erased: the newest record is in another one. */
  async #freePage(): Promise<number> {
    let page = this.#page % PAGES;
    while (page % PAGES_A_SECTOR !== 0) {
      const bytes = await this.#hardware.readFlash(REGION + page * FLASH_PAGE, FLASH_PAGE);
      if (bytes.every((byte) => byte === 0xff)) return page;
      page = (page + 1) % PAGES;
    }
    await this.#hardware.eraseFlash(REGION + page * FLASH_PAGE, FLASH_SECTOR);
    return page;
  }

  async #encode({ epoch, sequence, values, anchored }: Snapshot): Promise<Uint8Array> {
    const body = new Uint8Array(BODY);
    const view = viewOf(body);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, epoch, true);
    view.setUint32(8, sequence, true);
    for (const [index, value] of [anchored, ...values].entries())
      view.setBigUint64(12 + index * 8, BigInt(value), true);
    return concatBytes(body, await this.#hardware.authenticate(concatBytes(LABEL, body)));
  }

  async #parse(page: Uint8Array): Promise<Snapshot | null> {
    const body = page.subarray(0, BODY);
    const view = viewOf(body);
    if (view.getUint32(0, true) !== MAGIC) return null;
    const mac = await this.#hardware.authenticate(concatBytes(LABEL, body));
    if (!equalBytes(mac, page.subarray(BODY, BODY + mac.length))) return null;
    return {
      epoch: view.getUint32(4, true),
      sequence: view.getUint32(8, true),
      anchored: Number(view.getBigUint64(12, true)),
      values: COUNTERS.map((_, index) => Number(view.getBigUint64(20 + index * 8, true))),
    };
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

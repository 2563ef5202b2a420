import { concatBytes, crc32, viewOf } from '../bytes.ts';
import { CborMapReader, cborMap, readBytes, readUint } from '../cbor-reader.ts';
import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '../cbor.ts';
import { FormatError } from '../errors.ts';
import { guidFromBytes, guidToBytes } from '../guid.ts';
import { APPLICATION_SLOTS } from './application-area.ts';
import { FLASH_MAP, FLASH_SECTOR, type SlotName } from './flash-map.ts';
import { IMAGE_TYPES, SYSTEM_IMAGE_TYPES, type SystemImageTypeName } from './image-types.ts';

/** An app image that a configuration runs: which of the app slots, and its length in bytes. */
export interface BootApplication {
  readonly componentId: string;
  readonly imageId: string;
  readonly slot: number;
  readonly size: number;
}

/** What a device runs: a slot for each system image, and its apps. */
export interface BootConfig {
  readonly system: Readonly<Record<SystemImageTypeName, SlotName>>;
  readonly applications: readonly BootApplication[];
}

/** What the device is to boot, and what to go back to. The newest valid record holds. */
export interface BootRecord {
  /** Rises by one with every record. */
  readonly sequence: number;
  readonly current: BootConfig;
  /** What ran before, while `current` is on trial. */
  readonly fallback: BootConfig | null;
  /** `current` holds for three attempts only, until its healthy mark is set. */
  readonly trial: boolean;
  /**
   * The system images that were given up when a trial failed, trial by trial, the newest first; kept over commits and
   * later trials until the images of a trial are committed again. `reason` is why the last one failed, empty once
   * another system was committed.
   */
  readonly fellBack: { readonly trials: readonly (readonly string[])[]; readonly reason: string } | null;
  /**
   * The highest security version of each app that was ever committed, the newest first: an image below it does not come
   * back. Apps that never stated one are not here.
   */
  readonly applicationVersions: readonly ApplicationVersion[];
}

/** An app's counter, as the fuses are for an image of the system. */
export interface ApplicationVersion {
  readonly componentId: string;
  readonly version: number;
}

/** Marks beside a record, each a byte programmed once. */
export interface BootMarks {
  /** Attempts that the ROM has begun, 0 … 3. */
  readonly attempts: number;
  /** Number of the next attempt mark to program; null when all are used up. */
  readonly nextAttempt: number | null;
  readonly healthy: boolean;
}

/** A record as it was found in flash. */
export interface FoundBootRecord {
  readonly record: BootRecord;
  readonly marks: BootMarks;
  /** Its sector within `FLASH_MAP.bootRecord`, from 0. */
  readonly sector: number;
}

/** Attempts of a trial before the fallback is taken, once and for all. */
export const BOOT_ATTEMPTS = 3;
/** Sectors that take records in turn. */
export const BOOT_SECTORS = FLASH_MAP.bootRecord.length / FLASH_SECTOR;
/** Ids that a record remembers of what was left, at most; one more goes between two trials. */
const MOST_LEFT_IDS = 16;
const BETWEEN_TRIALS = '00000000-0000-0000-0000-000000000000';
/** Highest sequence number: after it, numbers begin again. */
export const LAST_BOOT_SEQUENCE = 0xffffffff;
/** Apps whose security versions a record keeps: as many as a device has room for at a time. */
export const MOST_APPLICATION_VERSIONS = FLASH_MAP.applications.most;
const MAGIC = 0x52424653; // "SFBR", little-endian
const HEADER = 16;
const GUID = { length: 16 } as const;
const MARKS_PAGE = FLASH_SECTOR - 256;

/** Offset in flash of the attempt mark number `attempt` (0 … 2) of the record in `sector`. */
export function attemptMarkOffset(sector: number, attempt: number): number {
  return FLASH_MAP.bootRecord.offset + sector * FLASH_SECTOR + MARKS_PAGE + attempt;
}

/** Offset in flash of the healthy mark of the record in `sector`. */
export function healthyMarkOffset(sector: number): number {
  return FLASH_MAP.bootRecord.offset + sector * FLASH_SECTOR + MARKS_PAGE + BOOT_ATTEMPTS;
}

const RECORD_KEYS = { current: 1, fallback: 2, trial: 3, fellBack: 4, applicationVersions: 5 } as const;
const VERSION_KEYS = { componentId: 1, version: 2 } as const;
const CONFIG_KEYS = { system: 1, applications: 2 } as const;
const APPLICATION_KEYS = { componentId: 1, imageId: 2, slot: 3, size: 4 } as const;
const FELL_BACK_KEYS = { imageIds: 1, reason: 2 } as const;
const SYSTEM_KEYS: Readonly<Record<SystemImageTypeName, number>> = {
  TrustedKeystore: IMAGE_TYPES.TrustedKeystore,
  PlutonRuntime: IMAGE_TYPES.PlutonRuntime,
  SecurityMonitor: IMAGE_TYPES.SecurityMonitor,
  UpdateCertStore: IMAGE_TYPES.UpdateCertStore,
  NormalWorldKernel: IMAGE_TYPES.NormalWorldKernel,
  Services: IMAGE_TYPES.Services,
};

function configToCbor(config: BootConfig): CborMap {
  return cborMap(CONFIG_KEYS, {
    system: new Map(
      SYSTEM_IMAGE_TYPES.map((type) => [SYSTEM_KEYS[type], config.system[type] === 'A' ? 0 : 1]),
    ),
    applications: config.applications.map(({ componentId, imageId, slot, size }) =>
      cborMap(APPLICATION_KEYS, {
        componentId: guidToBytes(componentId),
        imageId: guidToBytes(imageId),
        slot,
        size,
      }),
    ),
  });
}

function idsOfTrials(trials: readonly (readonly string[])[]): string[] {
  return trials.flatMap((imageIds, index) => (index === 0 ? imageIds : [BETWEEN_TRIALS, ...imageIds]));
}

function trialsOfIds(ids: readonly string[]): readonly (readonly string[])[] {
  const trials: string[][] = [[]];
  for (const id of ids) {
    if (id === BETWEEN_TRIALS) trials.push([]);
    else trials.at(-1)?.push(id);
  }
  return trials.filter((imageIds) => imageIds.length > 0);
}

/** As many trials, from the first one on, as a record has room for. */
export function trialsThatFit(trials: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const count = trials.findIndex(
    (_, index) => idsOfTrials(trials.slice(0, index + 1)).length > MOST_LEFT_IDS,
  );
  return count < 0 ? trials : trials.slice(0, count);
}

/** One record's payload, without the sequence (which the sector's header holds). */
function recordToCbor(record: BootRecord): Uint8Array {
  return encodeCbor(
    cborMap(RECORD_KEYS, {
      current: configToCbor(record.current),
      fallback: record.fallback === null ? null : configToCbor(record.fallback),
      trial: record.trial,
      fellBack:
        record.fellBack === null
          ? null
          : cborMap(FELL_BACK_KEYS, {
              imageIds: idsOfTrials(record.fellBack.trials).map(guidToBytes),
              reason: record.fellBack.reason,
            }),
      applicationVersions:
        record.applicationVersions.length === 0
          ? undefined
          : record.applicationVersions.map(({ componentId, version }) =>
              cborMap(VERSION_KEYS, { componentId: guidToBytes(componentId), version }),
            ),
    }),
  );
}

/** The bytes to program at the start of an erased sector. Throws `InvalidBootRecord` if they do not fit. */
export function encodeBootRecord(record: BootRecord): Uint8Array {
  const payload = recordToCbor(record);
  if (HEADER + payload.length > MARKS_PAGE) {
    throw new FormatError(
      'InvalidBootRecord',
      `A boot record of ${payload.length} bytes does not fit its sector.`,
    );
  }
  const numbers = new Uint8Array(8);
  viewOf(numbers).setUint32(0, record.sequence, true);
  viewOf(numbers).setUint32(4, payload.length, true);
  const frame = new Uint8Array(8);
  viewOf(frame).setUint32(0, MAGIC, true);
  viewOf(frame).setUint32(4, crc32(concatBytes(numbers, payload)), true);
  return concatBytes(frame, numbers, payload);
}

function configFrom(value: CborValue, field: string): BootConfig {
  const reader = new CborMapReader(value, CONFIG_KEYS, field);
  const slots = reader.map('system', SYSTEM_KEYS);
  const slotOf = (type: SystemImageTypeName): SlotName => (slots.uint(type, { max: 1 }) === 0 ? 'A' : 'B');
  const system = {
    TrustedKeystore: slotOf('TrustedKeystore'),
    PlutonRuntime: slotOf('PlutonRuntime'),
    SecurityMonitor: slotOf('SecurityMonitor'),
    UpdateCertStore: slotOf('UpdateCertStore'),
    NormalWorldKernel: slotOf('NormalWorldKernel'),
    Services: slotOf('Services'),
  };
  slots.end();
  const { most, bytes } = FLASH_MAP.applications;
  const applications = reader.array('applications', most, (item, path) => {
    const fields = new CborMapReader(item, APPLICATION_KEYS, path);
    const application = {
      componentId: guidFromBytes(fields.bytes('componentId', GUID)),
      imageId: guidFromBytes(fields.bytes('imageId', GUID)),
      slot: fields.uint('slot', { max: APPLICATION_SLOTS - 1 }),
      size: fields.uint('size', { min: 1, max: bytes }),
    };
    fields.end();
    return application;
  });
  if (new Set(applications.map(({ slot }) => slot)).size !== applications.length) {
    throw new FormatError('InvalidBootRecord', 'Two apps claim the same slot.', {
      field: `${field}.applications`,
    });
  }
  reader.end();
  return { system, applications };
}

function applicationVersionsFrom(reader: CborMapReader<typeof RECORD_KEYS>): readonly ApplicationVersion[] {
  return reader.array('applicationVersions', MOST_APPLICATION_VERSIONS, (item, path) => {
    const fields = new CborMapReader(item, VERSION_KEYS, path);
    const each = {
      componentId: guidFromBytes(fields.bytes('componentId', GUID)),
      version: fields.uint('version', { min: 1, max: 0xffffffff }),
    };
    fields.end();
    return each;
  });
}

/** A record from its bytes as `encodeBootRecord` made them; what follows them is ignored. Throws `FormatError`. */
export function decodeBootRecord(untrusted: Uint8Array): BootRecord {
  const view = viewOf(untrusted);
  const length = untrusted.length < HEADER ? 0 : view.getUint32(12, true);
  const isFramed =
    untrusted.length >= HEADER &&
    view.getUint32(0, true) === MAGIC &&
    length > 0 &&
    HEADER + length <= Math.min(MARKS_PAGE, untrusted.length) &&
    view.getUint32(4, true) === crc32(untrusted.subarray(8, HEADER + length));
  if (!isFramed) throw new FormatError('InvalidBootRecord', 'This is not a whole boot record.');
  const reader = new CborMapReader(decodeCbor(untrusted.subarray(HEADER, HEADER + length)), RECORD_KEYS);
  const record: BootRecord = {
    sequence: readUint(view.getUint32(8, true), 'sequence', { max: LAST_BOOT_SEQUENCE }),
    current: configFrom(reader.value('current'), 'current'),
    fallback: reader.nullable('fallback', () => configFrom(reader.value('fallback'), 'fallback')),
    trial: reader.boolean('trial'),
    fellBack: reader.nullable('fellBack', () => {
      const fields = reader.map('fellBack', FELL_BACK_KEYS);
      const fellBack = {
        trials: trialsOfIds(
          fields.array('imageIds', MOST_LEFT_IDS, (item, path) => guidFromBytes(readBytes(item, path, GUID))),
        ),
        reason: fields.text('reason', 400),
      };
      fields.end();
      return fellBack;
    }),
    applicationVersions: reader.has('applicationVersions') ? applicationVersionsFrom(reader) : [],
  };
  reader.end();
  if (record.trial && record.fallback === null) {
    throw new FormatError('InvalidBootRecord', 'A trial needs something to fall back to.', {
      field: 'fallback',
    });
  }
  return record;
}

function marksOf(sector: Uint8Array): BootMarks {
  const marks = sector.subarray(MARKS_PAGE, MARKS_PAGE + BOOT_ATTEMPTS + 1);
  // A torn mark counts as an attempt, but not as healthy: in doubt, the safe side.
  const attempts = marks.subarray(0, BOOT_ATTEMPTS);
  const next = attempts.indexOf(0xff);
  return {
    attempts: attempts.reduce((count, mark) => count + (mark === 0xff ? 0 : 1), 0),
    nextAttempt: next < 0 ? null : next,
    healthy: marks[BOOT_ATTEMPTS] === 0,
  };
}

/** The newest whole record in the bytes of `FLASH_MAP.bootRecord`, or null. Damaged and torn records are passed over. */
export function readBootRecords(region: Uint8Array): FoundBootRecord | null {
  let newest: FoundBootRecord | null = null;
  for (let sector = 0; sector < BOOT_SECTORS; sector++) {
    const bytes = region.subarray(sector * FLASH_SECTOR, (sector + 1) * FLASH_SECTOR);
    try {
      const record = decodeBootRecord(bytes);
      if (newest === null || record.sequence > newest.record.sequence)
        newest = { record, marks: marksOf(bytes), sector };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  return newest;
}

/** Slot A of everything and no apps: what a device tries when no record can be read. */
export const DEFAULT_BOOT_RECORD: BootRecord = {
  sequence: 0,
  current: {
    system: {
      TrustedKeystore: 'A',
      PlutonRuntime: 'A',
      SecurityMonitor: 'A',
      UpdateCertStore: 'A',
      NormalWorldKernel: 'A',
      Services: 'A',
    },
    applications: [],
  },
  fallback: null,
  trial: false,
  fellBack: null,
  applicationVersions: [],
};

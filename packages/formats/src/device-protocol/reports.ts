import { type CborMap, type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { cborMap, CborMapReader, readBytes } from '../cbor-reader.ts';
import { utf8Length } from '../utf8.ts';
import { DEVICE_LIMITS } from './endpoints.ts';
import { appMemoryMap, readAppMemory, type AppMemory } from './app-memory.ts';
import { coreDumpMap, readCoreDump, type CoreDump } from './core-dump.ts';
import { readChoice, readGuid, readLine } from './fields.ts';

/** What can fail. */
export const REPORT_KINDS = ['AppCrash', 'AppExit', 'OsFallback', 'OsFailure'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** One level of a stack: of WebAssembly, or of a real-time core, where the function is 0 and the offset an address. */
export interface ReportFrame {
  /** Index in the module's function space. */
  readonly function: number;
  /** Byte offset in the module file. */
  readonly offset: number;
}

/** One failure of an app or of the OS, as a device keeps it in flash until it is delivered. */
export interface ErrorReport {
  /** 16 bytes; the same failure keeps its id however often it is sent. */
  readonly reportId: Uint8Array;
  readonly kind: ReportKind;
  readonly componentId: string;
  readonly imageId: string;
  readonly osVersion: string;
  /** Seconds since 1970 by the device's clock. */
  readonly time: number;
  /** Milliseconds that the app, or the OS, had been up. */
  readonly uptime: number;
  /** What the machine said: `memory access out of bounds`. */
  readonly trap: string | null;
  /** 0 to 255 where the app ended by itself. */
  readonly exitCode: number | null;
  /** Innermost first. */
  readonly frames: readonly ReportFrame[];
  /** The last lines of the app's log, oldest first. */
  readonly log: readonly string[];
  /** How many failures this report stands for: 1, or more where equal ones were merged. */
  readonly count: number;
  /** Of an app on a real-time core: what the core was. */
  readonly core?: CoreDump;
  /** Of an app in a compartment that trapped: what its memory was. */
  readonly memory?: AppMemory;
}

/** Reports of one upload. */
export interface ReportBatch {
  readonly reports: readonly ErrorReport[];
}

/** Ids of the reports that are durable at the service and need not be sent again. */
export interface ReportReply {
  readonly accepted: readonly Uint8Array[];
}

const REPORT_ID_LENGTH = 16;
const FRAME_KEYS = { function: 1, offset: 2 } as const;
const REPORT_KEYS = {
  reportId: 1,
  kind: 2,
  componentId: 3,
  imageId: 4,
  osVersion: 5,
  time: 6,
  uptime: 7,
  trap: 8,
  exitCode: 9,
  frames: 10,
  log: 11,
  count: 12,
  core: 13,
  memory: 14,
} as const;
const BATCH_KEYS = { reports: 1 } as const;
const REPLY_KEYS = { accepted: 1 } as const;

function reportMap(report: ErrorReport): CborMap {
  return cborMap(REPORT_KEYS, {
    reportId: report.reportId,
    kind: report.kind,
    componentId: report.componentId,
    imageId: report.imageId,
    osVersion: report.osVersion,
    time: report.time,
    uptime: report.uptime,
    trap: report.trap,
    exitCode: report.exitCode,
    frames: report.frames.map((frame) =>
      cborMap(FRAME_KEYS, { function: frame.function, offset: frame.offset }),
    ),
    log: [...report.log],
    count: report.count,
    core: report.core === undefined ? undefined : coreDumpMap(report.core),
    memory: report.memory === undefined ? undefined : appMemoryMap(report.memory),
  });
}

function readFrame(value: CborValue, path: string): ReportFrame {
  const reader = new CborMapReader(value, FRAME_KEYS, path);
  const frame: ReportFrame = {
    function: reader.uint('function', { max: 0xffffffff }),
    offset: reader.uint('offset', { max: 0xffffffff }),
  };
  reader.end();
  return frame;
}

function readReport(value: CborValue, path: string): ErrorReport {
  const reader = new CborMapReader(value, REPORT_KEYS, path);
  const report: ErrorReport = {
    reportId: reader.bytes('reportId', { length: REPORT_ID_LENGTH }),
    kind: readChoice(reader.value('kind'), reader.at('kind'), REPORT_KINDS),
    componentId: readGuid(reader.value('componentId'), reader.at('componentId')),
    imageId: readGuid(reader.value('imageId'), reader.at('imageId')),
    osVersion: reader.text('osVersion', 64),
    time: reader.uint('time'),
    uptime: reader.uint('uptime'),
    trap: reader.nullable('trap', () => reader.text('trap', DEVICE_LIMITS.maxLine)),
    exitCode: reader.nullable('exitCode', () => reader.uint('exitCode', { max: 255 })),
    frames: reader.array('frames', DEVICE_LIMITS.maxFrames, readFrame),
    log: reader.array('log', DEVICE_LIMITS.maxLogLines, readLine),
    count: reader.uint('count', { min: 1, max: 0xffffffff }),
  };
  const core = reader.optional('core', () => readCoreDump(reader.value('core'), reader.at('core')));
  const memory = reader.optional('memory', () => readAppMemory(reader.value('memory'), reader.at('memory')));
  reader.end();
  return { ...report, ...(core === undefined ? {} : { core }), ...(memory === undefined ? {} : { memory }) };
}

/** Encodes one report, as a device's flash keeps it. */
export function encodeErrorReport(report: ErrorReport): Uint8Array<ArrayBuffer> {
  return encodeCbor(reportMap(report));
}

/** Decodes one report of at most `DEVICE_LIMITS.report` bytes. */
export function decodeErrorReport(untrusted: Uint8Array): ErrorReport {
  return readReport(decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.report, maxDepth: 3 }), '');
}

function cutLine(line: string): string {
  const wellFormed = line.toWellFormed();
  if (utf8Length(wellFormed) <= DEVICE_LIMITS.maxLine) return wellFormed;
  let kept = '';
  let length = 0;
  for (const character of wellFormed) {
    length += utf8Length(character);
    if (length > DEVICE_LIMITS.maxLine) break;
    kept += character;
  }
  return kept;
}

/**
 * The same report cut down to what can be stored and sent: at most 64 frames (the innermost), 20 log lines
 * (the last), and as few of those, oldest first, as it takes to fit into `maxBytes`; then as much less of the stack's
 * bytes, and of the frames.
 */
export function fitErrorReport(report: ErrorReport, maxBytes: number = DEVICE_LIMITS.report): ErrorReport {
  let fitted: ErrorReport = {
    ...report,
    trap: report.trap === null ? null : cutLine(report.trap),
    frames: report.frames.slice(0, DEVICE_LIMITS.maxFrames),
    log: report.log.slice(-DEVICE_LIMITS.maxLogLines).map(cutLine),
  };
  while (fitted.log.length > 0 && encodeErrorReport(fitted).length > maxBytes) {
    fitted = { ...fitted, log: fitted.log.slice(1) };
  }
  while (
    fitted.core !== undefined &&
    fitted.core.stack.length > 0 &&
    encodeErrorReport(fitted).length > maxBytes
  ) {
    const { core } = fitted;
    fitted = { ...fitted, core: { ...core, stack: core.stack.subarray(0, core.stack.length >>> 1) } };
  }
  while (
    fitted.memory !== undefined &&
    fitted.memory.stack.length > 0 &&
    encodeErrorReport(fitted).length > maxBytes
  ) {
    const { memory } = fitted;
    fitted = { ...fitted, memory: { ...memory, stack: memory.stack.subarray(0, memory.stack.length >>> 1) } };
  }
  while (fitted.frames.length > 0 && encodeErrorReport(fitted).length > maxBytes) {
    fitted = { ...fitted, frames: fitted.frames.slice(0, -1) };
  }
  return fitted;
}

export function encodeReportBatch(batch: ReportBatch): Uint8Array<ArrayBuffer> {
  return encodeCbor(cborMap(BATCH_KEYS, { reports: batch.reports.map(reportMap) }));
}

export function decodeReportBatch(untrusted: Uint8Array): ReportBatch {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.reportBatch, maxDepth: 5 }),
    BATCH_KEYS,
  );
  const batch: ReportBatch = { reports: reader.array('reports', DEVICE_LIMITS.maxReports, readReport) };
  reader.end();
  return batch;
}

export function encodeReportReply(reply: ReportReply): Uint8Array<ArrayBuffer> {
  return encodeCbor(cborMap(REPLY_KEYS, { accepted: [...reply.accepted] }));
}

export function decodeReportReply(untrusted: Uint8Array): ReportReply {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: DEVICE_LIMITS.reportReply, maxDepth: 2 }),
    REPLY_KEYS,
  );
  const reply: ReportReply = {
    accepted: reader.array('accepted', DEVICE_LIMITS.maxReports, (item, field) =>
      readBytes(item, field, { length: REPORT_ID_LENGTH }),
    ),
  };
  reader.end();
  return reply;
}

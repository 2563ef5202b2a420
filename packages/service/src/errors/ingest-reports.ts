import { createHash } from 'node:crypto';

import {
  CORE_FAULT_REGISTERS,
  CORE_REGISTERS,
  toHex,
  type CoreDump,
  type ErrorReport,
  type ReportBatch,
  type SymbolMap,
} from '@sevenfold/formats';
import type { Kysely } from 'kysely';

import { reportedImages } from '../images/images.ts';
import type { ServiceContext } from '../service-context.ts';
import type { Database } from '../store/database.ts';
import type { ErrorExample } from './error-group.ts';
import { fingerprintOf, titleOf } from './fingerprint.ts';
import {
  addGroupImage,
  countGroups,
  deleteReportsBefore,
  insertGroup,
  insertGroupDevice,
  insertReport,
  selectGroup,
  updateGroup,
  type ErrorGroupRow,
} from './queries.ts';
import { readVersions, writeExample } from './stored-example.ts';
import { symboliseCore, symboliseFrames } from './symbolise.ts';

/** What ingesting stands on. */
export type IngestContext = Pick<ServiceContext, 'store' | 'blobs' | 'clock'>;

/** The device that reports, and whose it is now. */
export interface ReportingDevice {
  readonly deviceId: string;
  readonly tenantId: string | null;
}

/** A report with everything that had to be looked up outside of the transaction. */
interface Judged {
  readonly report: ErrorReport;
  readonly reportId: string;
  readonly groupId: string;
  readonly fingerprint: string;
  readonly title: string;
  readonly example: ErrorExample;
  readonly uploadedAt: number | null;
}

/** What a tenant's devices can make the service keep, whatever they say. */
export interface IngestLimits {
  /** Groups of a tenant; failures of further kinds go into one group together. */
  readonly mostGroups: number;
  /** Builds that a group names. */
  readonly mostImages: number;
}
const INGEST_LIMITS: IngestLimits = { mostGroups: 10_000, mostImages: 100 };

/** Devices set their own clocks; what leaves the service has a year of four digits. Ms since 1970. */
const LATEST_TIME = Date.UTC(9999, 11, 31);
/** A report's id is remembered so long: a device that got no answer tries again within hours. */
const REPORT_MEMORY_MS = 90 * 24 * 3_600_000;
const SWEEP_PORTION = 1000;
/** Images of one batch whose failures are symbolised. */
const MOST_SYMBOL_MAPS = 8;

/**
 * Takes in a batch: all of it or nothing. A report that is here already counts no second time, so a device may send
 * until it was answered. Resolves with the ids that are durable now: every one of the batch.
 */
export async function ingestReports(
  context: IngestContext,
  device: ReportingDevice,
  batch: ReportBatch,
  limits: IngestLimits = INGEST_LIMITS,
): Promise<readonly Uint8Array[]> {
  const judged = await judgeAll(context, device, batch.reports);
  const fixTimes = await fixedImageTimes(context, device, judged);
  await context.store.write(async (tx) => {
    for (const one of judged) await takeIn(tx, device, one, fixTimes, context.clock.now(), limits);
  });
  return batch.reports.map((report) => report.reportId);
}

/** Forgets the ids of old reports: groups and their counts stay. */
export async function sweepReports(context: Pick<ServiceContext, 'store' | 'clock'>): Promise<void> {
  const before = context.clock.now() - REPORT_MEMORY_MS;
  let deleted: number;
  // In portions, so that no device waits for all of it.
  do deleted = await context.store.write((tx) => deleteReportsBefore(tx, before, SWEEP_PORTION));
  while (deleted === SWEEP_PORTION);
}

/** Judges reports image by image, so that each symbol map (up to 8 MiB) is decoded once, and one is held at a time. */
async function judgeAll(
  context: IngestContext,
  device: ReportingDevice,
  reports: readonly ErrorReport[],
): Promise<readonly Judged[]> {
  const byImage = Map.groupBy(reports.entries(), ([, report]) => report.imageId);
  const judged: [place: number, one: Judged][] = [];
  for (const [number, [imageId, group]] of [...byImage].entries()) {
    // A device runs a few apps; what names more images than that is not worth the service's time.
    const symbols =
      number < MOST_SYMBOL_MAPS ? await reportedImages(context).findSymbols(device.tenantId, imageId) : null;
    for (const [place, report] of group) {
      judged.push([place, await judge(context, device, report, symbols)]);
    }
  }
  return judged.sort(([a], [b]) => a - b).map(([, one]) => one);
}

async function judge(
  context: IngestContext,
  device: ReportingDevice,
  report: ErrorReport,
  symbols: SymbolMap | null,
): Promise<Judged> {
  const stack =
    report.core === undefined ? symboliseFrames(report.frames, symbols) : symboliseCore(report.core, symbols);
  const fingerprint = fingerprintOf(report, stack);
  return {
    report,
    reportId: toHex(report.reportId),
    // The same failure of another tenant is another group: tenants never see each other's.
    groupId: groupIdOf(device.tenantId, fingerprint),
    fingerprint,
    title: titleOf(report, stack),
    example: {
      deviceId: device.deviceId,
      imageId: report.imageId,
      osVersion: report.osVersion,
      time: Math.min(report.time * 1000, LATEST_TIME),
      uptime: report.uptime,
      trap: report.trap,
      exitCode: report.exitCode,
      stack,
      log: report.log,
      ...memoryOf(report),
    },
    uploadedAt: await reportedImages(context).findUploadTime(device.tenantId, report.imageId),
  };
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

/** Registers and memory of a report: of a core, or of an app in a compartment. */
function memoryOf({ core, memory }: ErrorReport): Pick<ErrorExample, 'registers' | 'memory'> {
  if (core !== undefined) {
    const [address = 0] = core.registers.slice(CORE_REGISTERS.indexOf('sp'));
    return { registers: registersOf(core), memory: bytesAt(address, core.stack) };
  }
  if (memory === undefined) return { registers: null, memory: null };
  const { stackPointer, heapStart, size, stack } = memory;
  const named = { sp: stackPointer, heap: heapStart, end: size };
  const registers = Object.entries(named).flatMap(([name, value]) =>
    value === null ? [] : [[name, hex(value)] as const],
  );
  return { registers: Object.fromEntries(registers), memory: bytesAt(stackPointer ?? 0, stack) };
}

const bytesAt = (address: number, bytes: Uint8Array): ErrorExample['memory'] =>
  bytes.length === 0 ? null : { address, bytes: toHex(bytes) };

/** A core's registers by name, as people write them. */
function registersOf({ registers, faults }: CoreDump): Readonly<Record<string, string>> {
  const all = [...CORE_REGISTERS, ...CORE_FAULT_REGISTERS].map((name, index) => {
    const value = [...registers, ...faults][index] ?? 0;
    return [name, hex(value)] as const;
  });
  return Object.fromEntries(all);
}

function groupIdOf(tenantId: string | null, fingerprint: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenantId, fingerprint]))
    .digest('hex')
    .slice(0, 32);
}

/** The fingerprint of everything that came after a tenant had as many groups as there may be. */
const OTHER_FAILURES = 'other';

/** The report as part of the group that it belongs to: its own, or that of all others where there is no room for more. */
async function placeIn(
  tx: Kysely<Database>,
  { tenantId }: ReportingDevice,
  one: Judged,
  { mostGroups }: IngestLimits,
): Promise<Judged> {
  if ((await selectGroup(tx, one.groupId)) !== undefined) return one;
  if ((await countGroups(tx, tenantId)) < mostGroups) return one;
  return {
    ...one,
    groupId: groupIdOf(tenantId, OTHER_FAILURES),
    fingerprint: OTHER_FAILURES,
    title: `other failures: there are more than ${mostGroups} kinds`,
  };
}

/** When the images came here in which the groups of these reports are said to be fixed. */
async function fixedImageTimes(
  context: IngestContext,
  device: ReportingDevice,
  judged: readonly Judged[],
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  for (const groupId of new Set(judged.map((one) => one.groupId))) {
    const imageId = (await selectGroup(context.store.read, groupId))?.fixedImageId ?? null;
    if (imageId === null || times.has(imageId)) continue;
    const time = await reportedImages(context).findUploadTime(device.tenantId, imageId);
    if (time !== null) times.set(imageId, time);
  }
  return times;
}

async function takeIn(
  tx: Kysely<Database>,
  device: ReportingDevice,
  judged: Judged,
  fixTimes: ReadonlyMap<string, number>,
  now: number,
  limits: IngestLimits,
): Promise<void> {
  const one = await placeIn(tx, device, judged, limits);
  const { groupId, report } = one;
  const isNew = await insertReport(tx, {
    deviceId: device.deviceId,
    reportId: one.reportId,
    groupId,
    receivedAt: now,
  });
  if (!isNew) return;
  const group = await selectGroup(tx, groupId);
  const isNewDevice = await insertGroupDevice(tx, groupId, device.deviceId);
  await addGroupImage(tx, groupId, report.imageId, report.count, now, limits.mostImages);
  if (group === undefined) {
    await insertGroup(tx, {
      groupId,
      tenantId: device.tenantId,
      fingerprint: one.fingerprint,
      componentId: report.componentId,
      kind: report.kind,
      title: one.title,
      state: 'Open',
      count: report.count,
      deviceCount: 1,
      firstSeen: now,
      lastSeen: now,
      fixedImageId: null,
      fixedAt: null,
      osVersions: JSON.stringify([report.osVersion]),
      example: writeExample(one.example),
    });
    return;
  }
  await updateGroup(tx, groupId, {
    title: one.title,
    state: nextState(group, one, fixTimes),
    count: Math.min(group.count + report.count, Number.MAX_SAFE_INTEGER),
    deviceCount: group.deviceCount + (isNewDevice ? 1 : 0),
    lastSeen: now,
    osVersions: JSON.stringify(withVersion(readVersions(group.osVersions), report.osVersion)),
    example: writeExample(one.example),
  });
}

/** A fixed group reopens when the failure is seen in the image that was to heal it, or in one that came after. */
function nextState(group: ErrorGroupRow, one: Judged, fixTimes: ReadonlyMap<string, number>): string {
  if (group.state !== 'Fixed' || group.fixedImageId === null) return group.state;
  if (one.report.imageId === group.fixedImageId) return 'Regressed';
  const fixedAt = fixTimes.get(group.fixedImageId);
  const isNewer = one.uploadedAt !== null && fixedAt !== undefined && one.uploadedAt > fixedAt;
  return isNewer ? 'Regressed' : group.state;
}

const MOST_VERSIONS = 10;

function withVersion(versions: readonly string[], version: string): readonly string[] {
  return [version, ...versions.filter((known) => known !== version)].slice(0, MOST_VERSIONS);
}

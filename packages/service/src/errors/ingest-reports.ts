import { createHash } from 'node:crypto';

import { toHex, type ErrorReport, type ReportBatch } from '@sevenfold/formats';
import type { Kysely } from 'kysely';

import { reportedImages } from '../images/images.ts';
import type { ServiceContext } from '../service-context.ts';
import type { Database } from '../store/database.ts';
import type { ErrorExample } from './error-group.ts';
import { fingerprintOf, titleOf } from './fingerprint.ts';
import {
  addGroupImage,
  insertGroup,
  insertGroupDevice,
  insertReport,
  selectGroup,
  updateGroup,
  type ErrorGroupRow,
} from './queries.ts';
import { readVersions, writeExample } from './stored-example.ts';
import { symboliseFrames } from './symbolise.ts';

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

/**
 * Takes in a batch: all of it or nothing. A report that is here already counts no second time, so a device may send
 * until it was answered. Resolves with the ids that are durable now: every one of the batch.
 */
export async function ingestReports(
  context: IngestContext,
  device: ReportingDevice,
  batch: ReportBatch,
): Promise<readonly Uint8Array[]> {
  const judged: Judged[] = [];
  for (const report of batch.reports) judged.push(await judge(context, device, report));
  const fixTimes = await fixedImageTimes(context, device, judged);
  await context.store.write(async (tx) => {
    for (const one of judged) await takeIn(tx, device, one, fixTimes, context.clock.now());
  });
  return batch.reports.map((report) => report.reportId);
}

async function judge(context: IngestContext, device: ReportingDevice, report: ErrorReport): Promise<Judged> {
  const symbols = await reportedImages(context).findSymbols(device.tenantId, report.imageId);
  const stack = symboliseFrames(report.frames, symbols);
  const fingerprint = fingerprintOf(report, stack);
  return {
    report,
    reportId: toHex(report.reportId),
    // The same failure of another tenant is another group: tenants never see each other's.
    groupId: createHash('sha256')
      .update(JSON.stringify([device.tenantId, fingerprint]))
      .digest('hex')
      .slice(0, 32),
    fingerprint,
    title: titleOf(report, stack),
    example: {
      deviceId: device.deviceId,
      imageId: report.imageId,
      osVersion: report.osVersion,
      time: report.time * 1000,
      uptime: report.uptime,
      trap: report.trap,
      exitCode: report.exitCode,
      stack,
      log: report.log,
    },
    uploadedAt: await reportedImages(context).findUploadTime(device.tenantId, report.imageId),
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
  one: Judged,
  fixTimes: ReadonlyMap<string, number>,
  now: number,
): Promise<void> {
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
  await addGroupImage(tx, groupId, report.imageId, report.count, now);
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
    count: group.count + report.count,
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

import {
  DEVICE_PATHS,
  FormatError,
  decodeErrorReport,
  decodeReportReply,
  encodeReportBatch,
  toHex,
  type CertStore,
  type ErrorReport,
} from '@sevenfold/formats';
import type { Kernel, TlsIdentity } from './kernel.ts';
import { openServiceSession } from './service-session.ts';

/** What the reporter needs. */
export interface ReporterContext {
  readonly kernel: Kernel;
  readonly store: CertStore;
  readonly log: (line: string) => void;
}

interface QueuedReport {
  readonly id: number;
  readonly report: ErrorReport;
}

const BATCH = 50;
/** Batches of one run: more wait for the next one, so that a storm of failures does not become one of uploads. */
const MOST_BATCHES = 4;

/** Uploads queued reports; removes from flash exactly those that the service accepted. Gives how many. */
export async function uploadReports(context: ReporterContext, identity: TlsIdentity): Promise<number> {
  const { kernel } = context;
  let uploaded = 0;
  let queued = await readQueue(context);
  if (queued.length === 0) return 0;
  const session = await openServiceSession(kernel, context.store, identity);
  try {
    for (let batch = 0; batch < MOST_BATCHES && queued.length > 0; batch++) {
      const body = encodeReportBatch({ reports: queued.map(({ report }) => report) });
      const reply = decodeReportReply(await session.post(DEVICE_PATHS.reports, body));
      const accepted = acceptedIds(queued, reply.accepted);
      if (accepted.length === 0) break;
      await kernel.recordRemove(accepted);
      uploaded += accepted.length;
      queued = await readQueue(context);
    }
  } finally {
    await session.close();
  }
  context.log(`${uploaded} error reports delivered`);
  return uploaded;
}

/** Which records the service has taken over: of what was sent only. */
function acceptedIds(sent: readonly QueuedReport[], accepted: readonly Uint8Array[]): number[] {
  const names = new Set(accepted.map(toHex));
  return sent.filter(({ report }) => names.has(toHex(report.reportId))).map(({ id }) => id);
}

/** The oldest reports. A record that is no report can never be delivered: it is dropped, and that is said. */
async function readQueue({ kernel, log }: ReporterContext): Promise<QueuedReport[]> {
  const queued: QueuedReport[] = [];
  const broken: number[] = [];
  for (const { id, record } of await kernel.recordList(BATCH)) {
    try {
      queued.push({ id, report: decodeErrorReport(record) });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      log(`record ${id} dropped: ${error.code}`);
      broken.push(id);
    }
  }
  if (broken.length > 0) await kernel.recordRemove(broken);
  return queued;
}

import {
  decodeCertStore,
  encodeErrorReport,
  fitErrorReport,
  equalBytes,
  decodeErrorReport,
  type CertStore,
  type Clock,
  type ErrorReport,
} from '@sevenfold/formats';
import {
  bootFailureLines,
  bootReport,
  bootReportIdentity,
  busFaultIdentity,
  busFaultReport,
  osVersionOf,
} from './boot-report.ts';
import { CredentialCache } from './credential-cache.ts';
import { CLOCK_TOLERANCE, createDaa, type Credentials, type Daa } from './daa.ts';
import { ServicesError, describeError } from './errors.ts';
import type { BootInfo, Kernel } from './kernel.ts';
import { uploadReports } from './reporter.ts';
import { runUpdate } from './updater.ts';

/** What the services are doing. */
type Phase = 'starting' | 'attesting' | 'updating' | 'idle' | 'offline';

/** The services' memory between rounds. */
interface ServicesState {
  readonly phase: Phase;
  readonly credentials: Credentials | null;
  /** When the next attestation is due, on the monotonic clock … */
  readonly attestDue: number;
  /** … and on the wall clock, which may have been wrong when the first was reckoned; whichever comes first. */
  readonly attestDueTime: number;
  /** An OS that is tried: it must prove itself to be kept. */
  readonly trial: boolean;
  readonly lastError: string | null;
  /** Stopped accesses that have been reported since the reset. */
  readonly busFaults: number;
}

/** What a round came to. */
export interface RoundResult {
  /** Milliseconds to the next round as the service wishes; null: the round failed. */
  readonly nextCheck: number | null;
  /** Milliseconds that the service asked us to stay away at least. */
  readonly appointment: number | null;
  readonly restartRequired: boolean;
}

/** Everything of a running device that its services work with. */
export interface ServicesContext {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly store: CertStore;
  readonly daa: Daa;
  readonly cache: CredentialCache;
  readonly deviceId: string;
  readonly osVersion: string;
  readonly boot: BootInfo;
  readonly log: (line: string) => void;
  state: ServicesState;
}

/** Gathers what the services need from the kernel. */
export async function openServices(
  kernel: Kernel,
  clock: Clock,
  log: (line: string) => void,
): Promise<ServicesContext> {
  const [{ deviceId }, boot, certStore] = await Promise.all([
    kernel.identity(),
    kernel.bootInfo(),
    kernel.loadCertStore(),
  ]);
  const store = decodeCertStore(certStore);
  return {
    kernel,
    clock,
    store,
    daa: createDaa(kernel, store, clock, deviceId),
    cache: new CredentialCache(kernel, clock, deviceId, log),
    deviceId,
    osVersion: osVersionOf(boot.stages),
    boot,
    log,
    state: {
      phase: 'starting',
      credentials: null,
      attestDue: 0,
      attestDueTime: 0,
      trial: boot.trial,
      lastError: null,
      busFaults: 0,
    },
  };
}

/**
 * Takes up the certificates that this very system kept before it was switched off. An OS on trial attests anew
 * whatever it finds: that is what its trial is about. Never rejects.
 */
export async function restoreCredentials(context: ServicesContext): Promise<void> {
  const { kernel, clock, log, state } = context;
  if (state.trial) return;
  const restored = await context.cache.restore();
  if (restored === null) return;
  const { credentials, client } = restored;
  const { nextCheck } = credentials.judgement;
  try {
    await kernel.setClientIdentity(client);
  } catch (error) {
    log(`the kept certificate is not taken: ${describeError(error)}`);
    return;
  }
  context.state = { ...state, credentials, ...attestAfter(clock, nextCheck) };
  log(
    `certificates of an earlier boot are in use, next attestation in ${Math.round(nextCheck / 60_000)} minutes`,
  );
}

const attestAfter = (clock: Clock, milliseconds: number) => ({
  attestDue: clock.monotonic() + milliseconds,
  attestDueTime: clock.now() + milliseconds,
});

/**
 * Queues the report of a boot that refused or left an image, unless it waits in the queue already. Never rejects:
 * apps fill the log as well, and a full one must not keep the device from coming up.
 */
export async function queueBootReport(context: ServicesContext): Promise<void> {
  try {
    await queueReport(context);
  } catch (error) {
    context.log(`the report of this boot is not queued: ${describeError(error)}`);
  }
}

async function queueReport({ kernel, clock, deviceId, osVersion, boot }: ServicesContext): Promise<void> {
  const reportId = (await kernel.sha256(bootReportIdentity(deviceId, boot))).slice(0, 16);
  const report = bootReport(boot, { reportId, osVersion, time: clock.now(), uptime: clock.monotonic() });
  if (report !== null) await appendOnce(kernel, report);
}

/**
 * Queues a report of accesses that the firewall stopped since the last round. Never rejects: what is told of here is
 * over, and the round is not.
 */
async function queueBusFaults(context: ServicesContext): Promise<void> {
  const { kernel, clock, deviceId, osVersion, state } = context;
  try {
    const faults = await kernel.busFaults();
    if (faults.count <= state.busFaults) return;
    const reportId = (await kernel.sha256(busFaultIdentity(deviceId, faults))).slice(0, 16);
    const known = { reportId, osVersion, time: clock.now(), uptime: clock.monotonic() };
    const since = { ...faults, count: faults.count - state.busFaults };
    await appendOnce(kernel, busFaultReport(since, known));
    context.state = { ...context.state, busFaults: faults.count };
  } catch (error) {
    context.log(`bus faults are not reported: ${describeError(error)}`);
  }
}

/** Queues a report unless it waits in the queue already. */
async function appendOnce(kernel: Kernel, report: ErrorReport): Promise<void> {
  const { reportId } = report;
  for (const { record } of await kernel.recordList(1000)) {
    try {
      if (equalBytes(decodeErrorReport(record).reportId, reportId)) return;
    } catch {
      // Not a report: the reporter drops it, and says so.
    }
  }
  await kernel.recordAppend(encodeErrorReport(fitErrorReport(report)));
}

/**
 * One round: attest if due (or `whole`), confirm a tried OS, ask for the plan and follow it, deliver reports.
 * Never rejects: what failed is in the state's `lastError`.
 */
export async function runRound(context: ServicesContext, whole: boolean): Promise<RoundResult> {
  try {
    const credentials = await attestWhenDue(context, whole);
    await confirmTrial(context);
    context.state = { ...context.state, phase: 'updating' };
    const update = await runUpdate(
      {
        kernel: context.kernel,
        store: context.store,
        clock: context.clock,
        deviceId: context.deviceId,
        osVersion: context.osVersion,
        failures: bootFailureLines(context.boot),
        left: context.boot.left,
        takesApplications: !context.boot.capabilities.includes('appDevelopment'),
        log: context.log,
      },
      credentials.update,
    );
    await followTime(context, update.issuedAt);
    // Neither the new OS nor the one that it may fall back to goes on with what this one was given.
    if (update.restartRequired) await forgetCredentials(context);
    await queueBusFaults(context);
    // What comes after a commit of the OS is its restart: nothing that a network does may keep it away.
    if (!update.restartRequired) await uploadReports(context, credentials.update);
    const held =
      update.held.length === 0 ? null : `PlanHeld: images that were left before: ${update.held.join(', ')}`;
    context.state = { ...context.state, phase: 'idle', lastError: held };
    const untilAttest = Math.max(0, timeToAttest(context));
    // A keystore that was committed alone is followed by the rest of its plan without delay.
    return {
      nextCheck: Math.min(update.nextCheck, untilAttest),
      appointment: null,
      restartRequired: update.restartRequired,
    };
  } catch (error) {
    const lastError = describeError(error);
    context.log(`round failed: ${lastError}`);
    context.state = { ...context.state, phase: 'offline', lastError };
    // Perhaps it is our certificate that the service no longer takes: the next try begins with a new one.
    // An appointment says nothing against it: who attested anew for each would keep others from theirs.
    if (appointmentOf(error) === null && /^(ServiceRefused|HandshakeRefused):/.test(lastError))
      context.state = { ...context.state, attestDue: 0 };
    // A restart that was lost: until it has been, nothing can be updated.
    const restartRequired = lastError.startsWith('RestartRequired:');
    return { nextCheck: null, appointment: appointmentOf(error), restartRequired };
  }
}

function timeToAttest({ clock, state }: ServicesContext): number {
  return Math.min(state.attestDue - clock.monotonic(), state.attestDueTime - clock.now());
}

async function attestWhenDue(context: ServicesContext, whole: boolean): Promise<Credentials> {
  const present = context.state.credentials;
  if (present !== null && !whole && timeToAttest(context) > 0) return present;
  context.state = { ...context.state, phase: 'attesting' };
  const credentials = await context.daa.attest();
  const { judgement } = credentials;
  context.state = { ...context.state, credentials, ...attestAfter(context.clock, judgement.nextCheck) };
  await context.cache.keep(credentials);
  const why = judgement.reasons.length === 0 ? '' : ` (${judgement.reasons.join('; ')})`;
  const certificate =
    judgement.client === null ? 'update certificate only' : `tenant ${judgement.client.tenantId}`;
  context.log(`attested: ${judgement.verdict}${why}, ${certificate}`);
  return credentials;
}

/** The time of a plan is signed and fresh: a clock that stood still while the device was off is set by it. */
async function followTime({ kernel, clock }: ServicesContext, issuedAt: number): Promise<void> {
  if (Math.abs(issuedAt - clock.now()) > CLOCK_TOLERANCE) await kernel.setTime(issuedAt);
}

async function forgetCredentials({ cache, log }: ServicesContext): Promise<void> {
  try {
    await cache.forget();
  } catch (error) {
    // To other software they are of no use anyway.
    log(`the certificates are still kept: ${describeError(error)}`);
  }
}

/** The service has seen this OS and answered: it works as far as that it can be updated again. */
async function confirmTrial(context: ServicesContext): Promise<void> {
  if (!context.state.trial) return;
  await context.kernel.confirmHealthy();
  context.state = { ...context.state, trial: false };
  context.log('this OS is healthy and stays');
}

/** Where the cert store has a rule for devices without their service: what has run for so long is healthy. */
export async function confirmByRule(context: ServicesContext): Promise<void> {
  const { healthyAfter } = context.store;
  if (!context.state.trial || healthyAfter === undefined) return;
  await context.clock.sleep(healthyAfter * 1000);
  if (context.state.trial) context.log(`no service for ${healthyAfter} s, but everything runs`);
  await confirmTrial(context);
}

function appointmentOf(error: unknown): number | null {
  return error instanceof ServicesError ? error.retryAfter : null;
}

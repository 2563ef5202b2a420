import {
  CAPABILITY_COMPONENT_ID,
  IMAGE_TYPES,
  RUN_RULES,
  SYSTEM_IMAGE_FILES,
  decodeCertStore,
  toProblem,
  type BootFailure,
  type BootReport,
  type BootStage,
  type StageHandle,
} from '@sevenfold/formats';
import { verifyStage, type BootChain } from './boot-chain.ts';
import { serveMonitor } from './calls.ts';
import { Cores } from './cores.ts';
import { MonitorError } from './errors.ts';
import { Images } from './images.ts';
import { MutableStorage } from './mutable.ts';
import { fieldsOf, flashOver, plutonOver, textOf, type PlutonPort } from './ports.ts';
import { RecordLog } from './records.ts';
import { Slots, type BootFacts } from './slots.ts';
import { Stagings } from './staging.ts';

/**
 * Time in ms that a configuration on trial has to be confirmed healthy; then the next attempt begins. What crashes or
 * hangs is found much sooner: this is for an OS that runs and does not reach its service, and long enough that an
 * outage of the service itself is not taken for that.
 */
const TRIAL_TIME = 3_600_000;
/** Time in ms that the kernel has to come up and kick the watchdog for the first time. */
const KERNEL_START_TIME = 120_000;

/**
 * The Security Monitor: settles what ROM and Pluton found, loads what it needs for its calls, closes and locks the
 * firewall, then starts the kernel. Resolves when that is up.
 */
export async function start(handle: StageHandle): Promise<void> {
  const { hardware, pluton: mailbox } = handle.ports;
  if (hardware === undefined || mailbox === undefined) {
    throw new MonitorError('HardwareFault', 'The monitor was started without its ports.');
  }
  const log = (line: string): void => handle.log(line);
  const flash = flashOver(hardware);
  const pluton = plutonOver(mailbox);

  // 1. How did we get here? A failed trial is left for good before anything else happens.
  const bootReport = fieldsOf(await mailbox.call('bootReport'));
  const boot: BootFacts = {
    config: bootReport['config'] === 'fallback' ? 'fallback' : 'current',
    trial: bootReport['trial'] === true,
    resetReason: textOf(bootReport['resetReason']),
  };
  const report: BootReport = {
    // From Pluton, which lies beneath us.
    stages: [...(bootReport['stages'] as BootStage[])],
    failures: [...(bootReport['failures'] as BootFailure[])],
  };
  const slots = await Slots.open(flash, boot, report);
  const { fellBack } = slots;
  if (boot.config === 'fallback' && fellBack !== null)
    log(`left for good: ${(fellBack.trials[0] ?? []).join(', ')} – ${fellBack.reason}`);

  // 2. What is this device unlocked for? Measured before anything that could make use of it.
  const mutable = new MutableStorage(flash);
  const capabilities = await heldCapabilities(mutable, pluton, log);

  // 3. Verify and measure what comes next.
  const chain: BootChain = { flash, pluton, config: slots.config, report, log };
  const certStoreImage = await verifyStage(chain, 'UpdateCertStore');
  const certStore = certStoreImage.file(SYSTEM_IMAGE_FILES.certStore);
  decodeCertStore(certStore);
  const kernel = await verifyStage(chain, 'NormalWorldKernel');
  await slots.raiseSecurityVersions(pluton);

  // 4. Close the firewall, for the monitor itself as well.
  await hardware.call(
    'configureFirewall',
    RUN_RULES.map((rule) => ({ ...rule })),
  );
  await hardware.call('lockFirewall');

  // 5. Serve, watch, and let the normal world run.
  const stagings = new Stagings(flash, pluton, slots);
  const images = new Images(flash, pluton, slots, stagings);
  handle.serve(
    serveMonitor({
      hardware,
      pluton,
      boot,
      report,
      chain,
      slots,
      stagings,
      images,
      cores: new Cores(hardware, images, capabilities.includes('appDevelopment')),
      records: new RecordLog(flash),
      mutable,
      capabilities,
      certStore,
      compartmentProgram: kernel.file(SYSTEM_IMAGE_FILES.compartment),
      log,
    }),
  );
  if (slots.isTrial) void endTrialInTime(handle, slots);
  await hardware.call('setWatchdog', KERNEL_START_TIME);
  await hardware.call('startStage', 'kernel', kernel.file(SYSTEM_IMAGE_FILES.bundle));
  const release = report.stages.find(({ imageType }) => imageType === IMAGE_TYPES.NormalWorldKernel);
  log(`${release?.name ?? 'kernel'} is up${slots.isTrial ? ', on trial' : ''}`);
}

/** A capability that no longer holds is left where it is and enables nothing. */
async function heldCapabilities(
  mutable: MutableStorage,
  pluton: PlutonPort,
  log: (line: string) => void,
): Promise<readonly string[]> {
  const file = await mutable.read(CAPABILITY_COMPONENT_ID);
  if (file === null) return [];
  try {
    const capabilities = await pluton.openCapability(file, true);
    log(`this device is unlocked: ${capabilities.join(', ') || 'for nothing'}`);
    return capabilities;
  } catch (error) {
    const { code, message } = toProblem(error);
    log(`capability refused: ${code} – ${message}`);
    return [];
  }
}

/** A trial that nobody confirms must not last for ever. */
async function endTrialInTime(handle: StageHandle, slots: Slots): Promise<void> {
  await handle.clock.sleep(TRIAL_TIME);
  if (!slots.isTrial) return;
  handle.log(`not confirmed healthy within ${TRIAL_TIME / 1000} s: resetting`);
  await handle.ports['hardware']?.call('reset', 'TrialNotConfirmed');
}

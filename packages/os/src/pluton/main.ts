import {
  IMAGE_TYPES,
  SYSTEM_IMAGE_FILES,
  bytesArgument,
  decodeBootRecord,
  loadSystemImage,
  type AbiVersion,
  type BootFailure,
  type BootReport,
  type BootStage,
  type StageHandle,
} from '@sevenfold/formats';
import { servePluton } from './calls.ts';
import { Counters } from './counters.ts';
import { PlutonError } from './errors.ts';
import { plutonHardwareOver } from './hardware.ts';
import { ImageVerifier } from './images.ts';

/**
 * The Pluton runtime: takes over the trusted keystore, serves the mailbox, then loads, verifies, measures and
 * starts the Security Monitor. Resolves when that is up.
 */
export async function start(handle: StageHandle): Promise<void> {
  const port = handle.ports['hardware'];
  if (port === undefined) throw new PlutonError('HardwareFault', 'Pluton was started without its hardware.');
  const hardware = plutonHardwareOver(port);

  const {
    config = '',
    trial = false,
    resetReason = '',
    record,
    stages,
    failures,
    provided,
  } = await hardware.bootSelection();
  const bootRecord = decodeBootRecord(bytesArgument(record, 'record', { max: 4096 }));
  const slots = ((config === 'fallback' ? bootRecord.fallback : null) ?? bootRecord.current).system;
  // Straight from the ROM, which lies beneath us.
  const verifier = await ImageVerifier.open(hardware, provided as readonly AbiVersion[]);
  const report: BootReport = {
    stages: [...(stages as BootStage[])],
    failures: [...(failures as BootFailure[])],
  };

  handle.serve(
    servePluton({
      hardware,
      verifier,
      counters: new Counters(hardware, handle.clock),
      boot: { config, trial, resetReason },
      report,
    }),
  );

  const monitor = await loadSystemImage({
    type: 'SecurityMonitor',
    preferred: slots.SecurityMonitor,
    readFlash: hardware.readFlash,
    async verify(untrusted) {
      const image = await verifier.verify(untrusted, IMAGE_TYPES.SecurityMonitor, true);
      return { ...image, bundle: image.file(SYSTEM_IMAGE_FILES.bundle) };
    },
    log: (line) => handle.log(line),
    report,
  });
  if (monitor === null) {
    throw new PlutonError('NoBootableImage', 'no copy of SecurityMonitor is fit to run');
  }
  await verifier.measure(monitor.identity);
  await hardware.startStage('monitor', monitor.identity.bundle);
}

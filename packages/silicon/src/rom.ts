import {
  BOOT_ATTEMPTS,
  DEFAULT_BOOT_RECORD,
  FLASH_MAP,
  SYSTEM_IMAGE_FILES,
  attemptMarkOffset,
  loadSystemImage,
  readBootRecords,
  type AbiVersion,
  type BootConfig,
  type BootRecord,
  type BootReport,
  type LoadedImage,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import { verifyRomImage, verifyRomKeystore, type RomImage } from './rom-verify.ts';

/** What the ROM chose to boot. */
export interface BootSelection {
  readonly config: 'current' | 'fallback';
  readonly record: BootRecord;
  /** True while the current configuration is on trial and this is one of its attempts. */
  readonly trial: boolean;
}

/** What the ROM hands to the Pluton runtime. */
export interface RomHandover {
  readonly selection: BootSelection;
  readonly report: BootReport;
  /** The keystore package that was verified. */
  readonly keystorePackage: Uint8Array;
  /** The Pluton runtime's bundle, verified and measured, and the interfaces it offers. */
  readonly bundle: Uint8Array;
  readonly provided: readonly AbiVersion[];
}

/** How the mask ROM ends: with something to run, or not at all. */
export type RomOutcome =
  | { readonly kind: 'start'; readonly handover: RomHandover }
  | {
      readonly kind: 'stopped';
      readonly selection: BootSelection | null;
      readonly code: string;
      readonly message: string;
    };

/**
 * The mask ROM: chooses a configuration, trusts a keystore because its root key's hash is fused, trusts a Pluton
 * runtime because a key of that keystore signed it, and measures both. Throws `PowerCut` and nothing else.
 */
export async function runRom(chip: Chip, log: (line: string) => void): Promise<RomOutcome> {
  if (!chip.fuses.isLocked('rootKeyHash') || !chip.fuses.isLocked('identitySeed')) {
    const message = 'the chip is not manufactured: no root key hash or no identity is fused';
    log(`stopped: NotManufactured – ${message}`);
    return { kind: 'stopped', selection: null, code: 'NotManufactured', message };
  }
  const selection = selectConfig(chip, log);
  const slots = selectedConfig(selection).system;
  const report: BootReport = { stages: [], failures: [] };
  const load = <Image extends RomImage>(
    type: SystemImageTypeName,
    verify: (untrusted: Uint8Array) => Promise<Image>,
  ) =>
    loadSystemImage<Image>({
      type,
      preferred: slots[type],
      readFlash: (offset, length) => Promise.resolve(chip.flash.read(offset, length)),
      verify,
      log,
      report,
    });

  const keystore = await load('TrustedKeystore', (untrusted) => verifyRomKeystore(chip, untrusted));
  if (keystore === null) return stopped(selection, 'TrustedKeystore', log);
  measure(chip, keystore);

  const { keystore: trusted } = keystore.identity;
  const runtime = await load('PlutonRuntime', (untrusted) =>
    verifyRomImage(chip, 'PlutonRuntime', { trusted, provided: [] }, untrusted),
  );
  if (runtime === null) return stopped(selection, 'PlutonRuntime', log);
  measure(chip, runtime);

  const bundle = runtime.identity.file(SYSTEM_IMAGE_FILES.bundle);
  const provided = runtime.identity.package.fields.abiProvides ?? [];
  return {
    kind: 'start',
    handover: { selection, report, keystorePackage: keystore.package, bundle, provided },
  };
}

/**
 * Chooses what to boot from the newest boot record. A trial has three attempts, each marked in flash before it
 * begins; when they are used up the fallback holds, once and for all.
 */
function selectConfig(chip: Chip, log: (line: string) => void): BootSelection {
  const { offset, length } = FLASH_MAP.bootRecord;
  const found = readBootRecords(chip.flash.read(offset, length));
  if (found === null) {
    log('no boot record can be read: trying slot A of every image, without apps');
    return { config: 'current', record: DEFAULT_BOOT_RECORD, trial: false };
  }
  const { record, marks, sector } = found;
  if (!record.trial || marks.healthy) return { config: 'current', record, trial: false };
  if (marks.nextAttempt === null) {
    log(`trial of boot record ${record.sequence} failed ${BOOT_ATTEMPTS} times: booting the fallback`);
    return { config: 'fallback', record, trial: false };
  }
  chip.flash.program(attemptMarkOffset(sector, marks.nextAttempt), Uint8Array.of(0));
  log(`trial of boot record ${record.sequence}: attempt ${marks.attempts + 1} of ${BOOT_ATTEMPTS}`);
  return { config: 'current', record, trial: true };
}

/** The slots of a selection. */
export function selectedConfig({ record, config }: BootSelection): BootConfig {
  return (config === 'fallback' ? record.fallback : null) ?? record.current;
}

function measure(chip: Chip, { identity }: LoadedImage<RomImage>): void {
  const { name, digest, signerId, securityVersion } = identity;
  chip.pluton.extendMeasurement({
    imageType: identity.package.fields.imageType,
    name,
    digest,
    signerId,
    securityVersion,
  });
}

function stopped(
  selection: BootSelection,
  type: SystemImageTypeName,
  log: (line: string) => void,
): RomOutcome {
  const message = `no copy of ${type} is fit to run`;
  log(`stopped: NoBootableImage – ${message}`);
  return { kind: 'stopped', selection, code: 'NoBootableImage', message };
}

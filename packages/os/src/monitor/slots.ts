import {
  BOOT_SECTORS,
  DEFAULT_BOOT_RECORD,
  FLASH_MAP,
  FLASH_SECTOR,
  ImageRefused,
  LAST_BOOT_SEQUENCE,
  MOST_APPLICATION_VERSIONS,
  SYSTEM_IMAGE_TYPES,
  encodeBootRecord,
  healthyMarkOffset,
  readBootRecords,
  trialsThatFit,
  type ApplicationVersion,
  type BootApplication,
  type BootConfig,
  type BootRecord,
  type BootReport,
  type BootStage,
  type SlotName,
  type SystemImageTypeName,
  IMAGE_TYPES,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import { findImage } from './places.ts';
import { isWorn, type FlashPort, type PlutonPort, type VerifiedByPluton } from './ports.ts';

/** How ROM and Pluton came to start this monitor. */
export interface BootFacts {
  readonly config: 'current' | 'fallback';
  readonly trial: boolean;
  readonly resetReason: string;
}

/** An image that is ready to become part of the configuration. */
export type CommitImage =
  | {
      readonly kind: 'system';
      readonly type: SystemImageTypeName;
      readonly slot: SlotName;
      readonly imageId: string;
    }
  | { readonly kind: 'application'; readonly application: BootApplication };

/** What this device runs and is to run: the boot record, its trial, and which slots are in use. */
export class Slots {
  readonly #flash: FlashPort;
  readonly #report: BootReport;
  #record: BootRecord;
  #sector: number;
  #isTrial: boolean;
  #needsRestart = false;
  /** Stages of the report whose fused counters have followed them. */
  readonly #raised = new WeakSet<BootStage>();

  private constructor(
    flash: FlashPort,
    report: BootReport,
    record: BootRecord,
    sector: number,
    isTrial: boolean,
  ) {
    this.#flash = flash;
    this.#report = report;
    this.#record = record;
    this.#sector = sector;
    this.#isTrial = isTrial;
  }

  /**
   * Reads the boot record as the ROM did. If the ROM had to take the fallback, that is made lasting first: the failed
   * trial is left once and for all, and what was left is remembered.
   */
  static async open(flash: FlashPort, boot: BootFacts, report: BootReport): Promise<Slots> {
    const { offset, length } = FLASH_MAP.bootRecord;
    const found = readBootRecords(await flash.read(offset, length));
    const record = found?.record ?? DEFAULT_BOOT_RECORD;
    const slots = new Slots(flash, report, record, found?.sector ?? BOOT_SECTORS - 1, boot.trial);
    if (boot.config === 'fallback' && record.fallback !== null) {
      const left = await slots.#imagesLeftBehind(record.current, record.fallback);
      const trials = trialsThatFit([left, ...(record.fellBack?.trials ?? [])]);
      const reason = `the trial of boot record ${record.sequence} failed; last reset: ${boot.resetReason}`;
      await slots.#write({
        current: record.fallback,
        fallback: null,
        trial: false,
        fellBack: { trials, reason },
        applicationVersions: record.applicationVersions,
      });
    }
    return slots;
  }

  /** What runs: the current configuration of the record. */
  get config(): BootConfig {
    return this.#record.current;
  }

  /** What the last failed trial left; null once another system was committed, as nothing is new about it any more. */
  get fellBack(): BootRecord['fellBack'] {
    return this.#record.fellBack?.reason === '' ? null : this.#record.fellBack;
  }

  /** The images that each failed trial left for good, the newest first. */
  get left(): readonly (readonly string[])[] {
    return this.#record.fellBack?.trials ?? [];
  }

  get isTrial(): boolean {
    return this.#isTrial;
  }

  /** The slot that an image of this type was really loaded from; before it was loaded, the configured one. */
  runningSlot(type: SystemImageTypeName): SlotName {
    const stage = this.#stage(type);
    return stage === undefined ? this.config.system[type] : stage.slot === 'A' ? 'A' : 'B';
  }

  /** The security version of the image of this type that runs; null: none was loaded yet. */
  runningVersion(type: SystemImageTypeName): number | null {
    return this.#stage(type)?.securityVersion ?? null;
  }

  #stage(type: SystemImageTypeName): BootStage | undefined {
    return this.#report.stages.find(({ imageType }) => imageType === IMAGE_TYPES[type]);
  }

  /** App slots that hold what runs, or what a fallback would need. */
  get usedApplicationSlots(): ReadonlySet<number> {
    const fallback = this.#isTrial || this.#needsRestart ? (this.#record.fallback?.applications ?? []) : [];
    return new Set([...this.config.applications, ...fallback].map(({ slot }) => slot));
  }

  /** Throws while slots of the system must stay as they are. */
  requireSettled(): void {
    if (this.#needsRestart) {
      throw new MonitorError('RestartRequired', 'What was committed is not running yet.', {
        rule: 'restart first',
      });
    }
    if (this.#isTrial) {
      throw new MonitorError('TrialInProgress', 'The running system is on trial.', {
        rule: 'confirmHealthy first',
      });
    }
  }

  /**
   * Makes images part of the configuration and takes components out of it, all or nothing: the moment at which the
   * new boot record is whole decides. Images of the system begin a trial. `versions`: the security versions of the apps
   * among them, which from that moment on are the least. True: a restart is required.
   */
  async commit(
    images: readonly CommitImage[],
    removed: readonly string[],
    versions: readonly ApplicationVersion[],
  ): Promise<boolean> {
    this.requireSettled();
    const running = this.#runningConfig();
    for (const componentId of removed) {
      if (!running.applications.some((application) => application.componentId === componentId)) {
        throw new MonitorError('NoSuchComponent', `There is no app ${componentId}.`, {
          field: 'removeComponentIds',
        });
      }
    }
    const system = { ...running.system };
    let applications = running.applications.filter(({ componentId }) => !removed.includes(componentId));
    for (const image of images) {
      if (image.kind === 'system') system[image.type] = image.slot;
      else {
        const { application } = image;
        applications = applications.filter(({ componentId }) => componentId !== application.componentId);
        applications.push(application);
      }
    }
    requireRoom(applications);
    // Nothing to change: a kernel that asks for that for ever must not wear the flash out.
    if (images.length === 0 && removed.length === 0) return false;
    const isSystemChange = images.some(({ kind }) => kind === 'system');
    await this.#write({
      current: { system, applications },
      fallback: isSystemChange ? running : null,
      trial: isSystemChange,
      fellBack: this.#leftAfter(images, isSystemChange),
      applicationVersions: this.#versionsAfter(versions),
    });
    this.#needsRestart = isSystemChange;
    return isSystemChange;
  }

  /** Ends a trial: from this mark on, what runs is what is booted. */
  async confirmHealthy(): Promise<void> {
    if (!this.#isTrial) return;
    await this.#flash.program(healthyMarkOffset(this.#sector), Uint8Array.of(0));
    this.#isTrial = false;
  }

  /** Raises the fused counters to what runs. Never on trial: a counter must not run ahead of what is healthy. */
  async raiseSecurityVersions(pluton: PlutonPort): Promise<void> {
    if (this.#isTrial) return;
    // Asked twice in each boot: what was raised already is not gone through again.
    const raised = this.#report.stages.filter((stage) => !this.#raised.has(stage));
    await Promise.all(
      raised.map(({ imageType, securityVersion }) => pluton.raiseSecurityVersion(imageType, securityVersion)),
    );
    for (const stage of raised) this.#raised.add(stage);
  }

  /** An app's image below the highest security version that this device has had of it does not come back. */
  requireRecentApplication({ componentId, imageId, securityVersion }: VerifiedByPluton): void {
    const least = this.#leastVersion(componentId);
    if (securityVersion >= least) return;
    throw new ImageRefused(
      'SecurityVersionTooLow',
      `Image ${imageId} has security version ${securityVersion}.`,
      { rule: `at least ${least}` },
    );
  }

  #leastVersion(componentId: string): number {
    return this.#record.applicationVersions.find((each) => each.componentId === componentId)?.version ?? 0;
  }

  /** The highest version of each app; of those that were committed last, should there be too many. */
  #versionsAfter(committed: readonly ApplicationVersion[]): readonly ApplicationVersion[] {
    const raised = committed.map(({ componentId, version }) => ({
      componentId,
      version: Math.max(version, this.#leastVersion(componentId)),
    }));
    const others = this.#record.applicationVersions.filter(
      (each) => !raised.some(({ componentId }) => componentId === each.componentId),
    );
    return [...raised.filter(({ version }) => version > 0), ...others].slice(0, MOST_APPLICATION_VERSIONS);
  }

  /** What runs now, with every image in the slot that it was really loaded from. */
  #runningConfig(): BootConfig {
    const system = { ...this.config.system };
    for (const type of SYSTEM_IMAGE_TYPES) system[type] = this.runningSlot(type);
    return { system, applications: this.config.applications };
  }

  /** What stays left when images are committed: all but these, so that no other commit makes a device forget. */
  #leftAfter(images: readonly CommitImage[], isSystemChange: boolean): BootRecord['fellBack'] {
    const { fellBack } = this.#record;
    if (fellBack === null) return null;
    const committed = new Set(images.flatMap((image) => (image.kind === 'system' ? [image.imageId] : [])));
    const trials = fellBack.trials.filter((imageIds) => !imageIds.every((imageId) => committed.has(imageId)));
    return trials.length === 0 ? null : { trials, reason: isSystemChange ? '' : fellBack.reason };
  }

  async #write(next: Omit<BootRecord, 'sequence'>): Promise<void> {
    const isLast = this.#record.sequence === LAST_BOOT_SEQUENCE;
    const record = { ...next, sequence: isLast ? 1 : this.#record.sequence + 1 };
    const sector = await this.#writeBeside(encodeBootRecord(record));
    // No device gets that far by itself: someone wrote it, so that nothing newer could ever be committed. The record
    // that begins anew counts once those with higher numbers are gone.
    if (isLast) await this.#eraseAllBut(sector);
    this.#record = record;
    this.#sector = sector;
  }

  /** Writes a record into the next sector that takes it, and never into the one of the present record. */
  async #writeBeside(bytes: Uint8Array): Promise<number> {
    for (let step = 1; ; step++) {
      const sector = (this.#sector + step) % BOOT_SECTORS;
      const offset = FLASH_MAP.bootRecord.offset + sector * FLASH_SECTOR;
      try {
        await this.#flash.erase(offset, FLASH_SECTOR);
        await this.#flash.program(offset, bytes);
        return sector;
      } catch (error) {
        // Worn: the record there is torn by its checksum. All of them worn: what holds now goes on to hold.
        if (!isWorn(error) || step === BOOT_SECTORS - 1) throw error;
      }
    }
  }

  async #eraseAllBut(kept: number): Promise<void> {
    for (let sector = 0; sector < BOOT_SECTORS; sector++) {
      if (sector !== kept)
        await this.#flash.erase(FLASH_MAP.bootRecord.offset + sector * FLASH_SECTOR, FLASH_SECTOR);
    }
  }

  /** The system images of a trial. Its apps are not to blame: no app decides whether a system is healthy. */
  async #imagesLeftBehind(left: BootConfig, kept: BootConfig): Promise<string[]> {
    const imageIds: string[] = [];
    for (const type of SYSTEM_IMAGE_TYPES) {
      if (left.system[type] === kept.system[type]) continue;
      const found = await findImage(this.#flash, FLASH_MAP.system[type][left.system[type]]);
      if (found !== null) imageIds.push(found.header.imageId);
    }
    return imageIds;
  }
}

/** All apps share one room, by number and by the bytes of their packages (azure-sphere.md §3.4). */
function requireRoom(applications: readonly BootApplication[]): void {
  const { most, bytes } = FLASH_MAP.applications;
  const total = applications.reduce((sum, { size }) => sum + size, 0);
  if (applications.length <= most && total <= bytes) return;
  throw new MonitorError(
    'NotEnoughFreeSpace',
    `These would be ${applications.length} apps of ${total} bytes.`,
    {
      rule: `at most ${most}, of ${bytes} bytes in all`,
    },
  );
}

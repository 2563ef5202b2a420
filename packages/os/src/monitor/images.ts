import {
  FLASH_MAP,
  IMAGE_SIGNATURE_LENGTH,
  IMAGE_TYPES,
  MAX_METADATA_LENGTH,
  SLOT_COMPLETE_MARK,
  SYSTEM_IMAGE_FILES,
  SYSTEM_IMAGE_TYPES,
  decodeKeystore,
  equalBytes,
  fileOf,
  hasItsInterfaces,
  imageUse,
  parseImagePackage,
  parseMetadata,
  viewOf,
  type AbiVersion,
  type ApplicationVersion,
  type FlashRegion,
  type ImageFields,
  type KeystoreKey,
  type PortValue,
  type SlotName,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import { isWorn, type FlashPort, type PlutonPort } from './ports.ts';
import { copyImage, findImage, readPackage, type AnySlot, type FoundImage } from './places.ts';
import type { CommitImage, Slots } from './slots.ts';
import type { Stagings } from './staging.ts';

/** What lies in the slots, and the app images that are loaded from there. */
export class Images {
  readonly #flash: FlashPort;
  readonly #pluton: PlutonPort;
  readonly #slots: Slots;
  readonly #stagings: Stagings;

  constructor(flash: FlashPort, pluton: PlutonPort, slots: Slots, stagings: Stagings) {
    this.#flash = flash;
    this.#pluton = pluton;
    this.#slots = slots;
    this.#stagings = stagings;
  }

  /** Every image that is whole, as far as its slot says: a list to look at, not to rely on. */
  async list(): Promise<PortValue[]> {
    const finished = this.#stagings.finishedHeaders;
    const installed = this.#slots.config.applications.map(({ slot }) => slot);
    const ofSystem = async (type: SystemImageTypeName, slot: SlotName) => {
      const region = FLASH_MAP.system[type][slot];
      const isActive = this.#slots.runningSlot(type) === slot;
      const state = isActive ? 'active' : finished.has(region.offset) ? 'staged' : 'backup';
      const image = await this.#describe(region, slot, state, isActive);
      return image?.['imageType'] === IMAGE_TYPES[type] ? image : null;
    };
    const ofApplication = (slot: number) => {
      const isActive = installed.includes(slot);
      return this.#describe(slot, String(slot), isActive ? 'active' : 'staged', isActive);
    };
    // All at once: each of them waits for flash more than once.
    const images = await Promise.all([
      ...SYSTEM_IMAGE_TYPES.flatMap((type) => [ofSystem(type, 'A'), ofSystem(type, 'B')]),
      ...[...installed, ...this.#stagings.finishedApplications].map(ofApplication),
    ]);
    return images.filter((image) => image !== null);
  }

  /** The whole package of an installed app, verified now. Throws what it is refused for. */
  async loadApplication(componentId: string): Promise<Uint8Array> {
    const application = this.#slots.config.applications.find(
      (installed) => installed.componentId === componentId,
    );
    if (application === undefined) {
      throw new MonitorError('NoSuchComponent', `There is no app ${componentId}.`, { field: 'componentId' });
    }
    const found = await findImage(this.#flash, application.slot);
    if (found === null || found.header.size !== application.size) {
      throw new MonitorError('NoBootableImage', `The slot of ${componentId} does not say what it holds.`, {
        field: 'componentId',
      });
    }
    const bytes = await readPackage(this.#flash, found.place, 0, application.size);
    const image = await this.#pluton.verifyImage(bytes, IMAGE_TYPES.Applications, false);
    this.#slots.requireRecentApplication(image);
    hasItsInterfaces(parseImagePackage(bytes).fields, await this.#interfacesAfter([]));
    if (image.componentId !== componentId || image.imageId !== application.imageId) {
      throw new MonitorError('ImageIdentityInconsistency', `The slot of ${componentId} holds another app.`, {
        field: 'componentId',
      });
    }
    return bytes;
  }

  /**
   * Refuses a commit after which a layer, or an app that comes with it, would lack an interface, or the next boot a key.
   * Gives the security versions of its apps.
   */
  async requireFit(next: readonly CommitImage[]): Promise<readonly ApplicationVersion[]> {
    const provided = await this.#interfacesAfter(next);
    await this.#keysFit(next);
    const versions: ApplicationVersion[] = [];
    for (const image of next) {
      if (image.kind === 'system') continue;
      const { slot, componentId } = image.application;
      const fields = await this.#fieldsIn(slot);
      if (fields === null) continue;
      hasItsInterfaces(fields, provided);
      versions.push({ componentId, version: fields.securityVersion?.version ?? 0 });
    }
    return versions;
  }

  /** What the layers of the system offer once these images are part of it, each checked against those below it. */
  async #interfacesAfter(next: readonly CommitImage[]): Promise<readonly AbiVersion[]> {
    const provided: AbiVersion[] = [];
    for (const type of SYSTEM_IMAGE_TYPES) {
      const fields = await this.#fieldsIn(this.#regionAfter(type, next));
      if (fields === null) continue;
      hasItsInterfaces(fields, provided);
      provided.push(...(fields.abiProvides ?? []));
    }
    return provided;
  }

  /** A keystore without the key of an image that would run under it would lock the device out of that image. */
  async #keysFit(next: readonly CommitImage[]): Promise<void> {
    if (!next.some((image) => image.kind === 'system' && image.type === 'TrustedKeystore')) return;
    const found = await findImage(this.#flash, this.#regionAfter('TrustedKeystore', next));
    if (found === null) return;
    const bytes = await readPackage(this.#flash, found.place, 0, found.header.size);
    const { keys } = decodeKeystore(fileOf(parseImagePackage(bytes), SYSTEM_IMAGE_FILES.keystore));
    for (const type of SYSTEM_IMAGE_TYPES) {
      if (type === 'TrustedKeystore') continue;
      const fields = await this.#fieldsIn(this.#regionAfter(type, next));
      const isKnown = (key: KeystoreKey): boolean =>
        fields !== null &&
        equalBytes(key.thumbprint, fields.signerThumbprint) &&
        key.uses.includes(imageUse(IMAGE_TYPES[type]));
      if (keys.some(isKnown)) continue;
      throw new MonitorError(
        'KeystoreLocksOut',
        `The keystore lacks the key that signed the ${type} in use.`,
        {
          field: type,
          rule: 'first images that are signed by its keys, then the keystore',
        },
      );
    }
  }

  /**
   * What the fused counters have left behind can never run again: beside every keystore that was confirmed lies one that
   * is refused. Then a copy of what runs takes that place, so that there are two again. Its header comes last: a cut
   * leaves an empty slot, and the next boot begins anew. Not while a system is on trial.
   */
  async renewBackups(log: (line: string) => void): Promise<void> {
    if (this.#slots.isTrial) return;
    const outdated = await Promise.all(
      SYSTEM_IMAGE_TYPES.map((type) =>
        this.#isOutdated(this.#backupOf(type), this.#slots.runningVersion(type)),
      ),
    );
    for (const type of SYSTEM_IMAGE_TYPES.filter((_, index) => outdated[index])) {
      const slot = this.#slots.runningSlot(type);
      const backup = this.#backupOf(type);
      const running = await findImage(this.#flash, FLASH_MAP.system[type][slot]);
      if (running === null) continue;
      try {
        await copyImage(this.#flash, running, backup);
        log(`${type} slot ${slot} copied to the other one, which held nothing that could run`);
      } catch (error) {
        // What runs, runs: it is only alone.
        if (!isWorn(error)) throw error;
        log(`${type} has no second copy: that slot is worn`);
      }
    }
  }

  #backupOf(type: SystemImageTypeName): FlashRegion {
    return FLASH_MAP.system[type][this.#slots.runningSlot(type) === 'A' ? 'B' : 'A'];
  }

  /** An image below the version that runs, or none; not one that is being staged. */
  async #isOutdated(slot: FlashRegion, version: number | null): Promise<boolean> {
    if (version === null) return false;
    const found = await findImage(this.#flash, slot);
    if (found === null) return true;
    const fields = await this.#metadata(found);
    return fields !== null && (fields.securityVersion?.version ?? 0) < version;
  }

  #regionAfter(type: SystemImageTypeName, next: readonly CommitImage[]): AnySlot {
    const committed = next.find((image) => image.kind === 'system' && image.type === type);
    const slot = committed?.kind === 'system' ? committed.slot : this.#slots.runningSlot(type);
    return FLASH_MAP.system[type][slot];
  }

  async #fieldsIn(slot: AnySlot): Promise<ImageFields | null> {
    const found = await findImage(this.#flash, slot);
    return found === null ? null : this.#metadata(found);
  }

  async #describe(
    place: AnySlot,
    slot: string,
    state: string,
    isActive: boolean,
  ): Promise<{ readonly [key: string]: PortValue } | null> {
    const found = await findImage(this.#flash, place);
    if (found === null) return null;
    const [complete] = await this.#flash.read(found.place.header + SLOT_COMPLETE_MARK, 1);
    if (complete !== 0 && !isActive) return null;
    const fields = await this.#metadata(found);
    if (fields === null) return null;
    const { imageType, imageId, componentId, size, digest } = found.header;
    return {
      imageType,
      slot,
      imageId,
      componentId,
      name: fields.name,
      digest,
      size,
      securityVersion: fields.securityVersion?.version ?? 0,
      state,
    };
  }

  /** The metadata at the end of a package, or null where it is damaged. */
  async #metadata({ place, header: { size } }: FoundImage): Promise<ImageFields | null> {
    const length = Math.min(size, MAX_METADATA_LENGTH + IMAGE_SIGNATURE_LENGTH);
    const end = await readPackage(this.#flash, place, size - length, length);
    const unsigned = end.subarray(0, Math.max(0, length - IMAGE_SIGNATURE_LENGTH));
    if (unsigned.length < 4) return null;
    const metadataLength = viewOf(unsigned).getUint32(unsigned.length - 4, true);
    if (metadataLength > unsigned.length) return null;
    try {
      return parseMetadata(unsigned.subarray(unsigned.length - metadataLength));
    } catch {
      // The list leaves out what cannot be read; whoever loads it is told why.
      return null;
    }
  }
}

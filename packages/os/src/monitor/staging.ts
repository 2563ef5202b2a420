import {
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  SLOT_COMPLETE_MARK,
  SLOT_PACKAGE_OFFSET,
  SLOT_PROGRESS_MARKS,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  encodeSlotHeader,
  equalBytes,
  slotCapacity,
  type FlashRegion,
  type SlotHeader,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import type { FlashPort, PlutonPort } from './ports.ts';
import { readSlotHeader, type CommitImage, type Slots } from './slots.ts';

const MOST_STAGINGS = 10;

interface Staging {
  readonly id: number;
  readonly header: SlotHeader;
  readonly region: FlashRegion;
  /** What a commit makes of it. */
  readonly target: CommitImage;
  /** Bytes that are in flash for good: whole sectors. */
  flushed: number;
  /** Bytes accepted beyond `flushed`, less than a sector. */
  tail: Uint8Array;
  isFinished: boolean;
}

/**
 * Writes images into slots that nothing runs from. Sector by sector, each marked when it is whole, so that after a
 * power cut the same image goes on where it was. Only a finished one, verified from flash, can be committed.
 */
export class Stagings {
  readonly #flash: FlashPort;
  readonly #pluton: PlutonPort;
  readonly #slots: Slots;
  readonly #stagings = new Map<number, Staging>();
  #nextId = 1;

  constructor(flash: FlashPort, pluton: PlutonPort, slots: Slots) {
    this.#flash = flash;
    this.#pluton = pluton;
    this.#slots = slots;
  }

  /** Begins to stage an image, or goes on with the very same one. Gives its id and how many bytes it has already. */
  async begin(header: SlotHeader): Promise<{ readonly stagingId: number; readonly written: number }> {
    const present = [...this.#stagings.values()].find(({ header: other }) => isSameImage(other, header));
    if (present !== undefined)
      return { stagingId: present.id, written: present.flushed + present.tail.length };
    // Another image of the same component takes the place of an unfinished one.
    for (const [id, { header: other }] of this.#stagings) {
      if (other.componentId === header.componentId) this.#stagings.delete(id);
    }
    if (this.#stagings.size >= MOST_STAGINGS) {
      throw new MonitorError('TooManyStagings', `At most ${MOST_STAGINGS} images can be staged at a time.`);
    }
    const { region, target } = await this.#place(header);
    if (header.size > slotCapacity(region)) {
      throw new MonitorError('ImageTooLarge', `The image has ${header.size} bytes.`, {
        field: 'size',
        rule: `at most ${slotCapacity(region)} bytes`,
      });
    }
    const written = await this.#prepare(region, header);
    const staging: Staging = {
      id: this.#nextId++,
      header,
      region,
      target,
      flushed: written,
      tail: new Uint8Array(0),
      isFinished: false,
    };
    this.#stagings.set(staging.id, staging);
    return { stagingId: staging.id, written };
  }

  /** Takes the next bytes. Bytes that were written already may come again, if they are the same. */
  async write(id: number, offset: number, bytes: Uint8Array): Promise<void> {
    const staging = this.#get(id);
    if (staging.isFinished) throw new MonitorError('StagingFinished', `Staging ${id} is finished.`);
    const written = staging.flushed + staging.tail.length;
    if (offset > written) {
      throw new MonitorError('StagingGap', `Bytes from ${offset} were sent.`, {
        field: 'offset',
        rule: `at most ${written}`,
      });
    }
    if (offset + bytes.length > staging.header.size) {
      throw new MonitorError('ImageTooLarge', `The image was to have ${staging.header.size} bytes.`, {
        field: 'bytes',
        rule: `up to ${staging.header.size}`,
      });
    }
    const again = bytes.subarray(0, Math.max(0, Math.min(bytes.length, written - offset)));
    if (!equalBytes(again, await this.#written(staging, offset, again.length))) {
      throw new MonitorError('StagingConflict', `Other bytes were written at ${offset} before.`, {
        field: 'bytes',
      });
    }
    await this.#append(staging, bytes.subarray(again.length));
  }

  /** Verifies the whole image as it lies in flash. If it is refused, its slot is emptied. */
  async finish(id: number): Promise<void> {
    const staging = this.#get(id);
    const { header, region } = staging;
    if (staging.isFinished) return;
    const written = staging.flushed + staging.tail.length;
    if (written < header.size) {
      throw new MonitorError('StagingIncomplete', `Only ${written} of ${header.size} bytes were written.`);
    }
    if (staging.tail.length > 0) await this.#flushSector(staging, staging.tail);
    try {
      await this.#verify(staging);
    } catch (error) {
      this.#stagings.delete(id);
      await this.#flash.erase(region.offset, FLASH_SECTOR);
      throw error;
    }
    await this.#flash.program(region.offset + SLOT_COMPLETE_MARK, Uint8Array.of(0));
    staging.isFinished = true;
  }

  /** Gives a staging up. What is in flash already stays, for the same image to go on with. */
  abort(id: number): void {
    this.#get(id);
    this.#stagings.delete(id);
  }

  /** The images to commit; every one must be finished. */
  committable(ids: readonly number[]): readonly CommitImage[] {
    const unfinished = ids.find((id) => !this.#get(id).isFinished);
    if (unfinished !== undefined) {
      throw new MonitorError('StagingNotFinished', `Staging ${unfinished} is not finished.`, {
        field: 'stagingIds',
      });
    }
    return [...new Set(ids)].map((id) => this.#get(id).target);
  }

  /** Forgets what has been committed. */
  forget(ids: readonly number[]): void {
    for (const id of ids) this.#stagings.delete(id);
  }

  /** Regions with a finished image that is not committed yet. */
  get finishedRegions(): ReadonlySet<number> {
    return new Set(
      [...this.#stagings.values()].filter((staging) => staging.isFinished).map(({ region }) => region.offset),
    );
  }

  /** Finished apps that are not committed yet, with their slots. */
  get finishedApplications(): readonly number[] {
    return [...this.#stagings.values()].flatMap(({ isFinished, target }) =>
      isFinished && target.kind === 'application' ? [target.application.slot] : [],
    );
  }

  #get(id: number): Staging {
    const staging = this.#stagings.get(id);
    if (staging === undefined)
      throw new MonitorError('NoSuchStaging', `There is no staging ${id}.`, { field: 'stagingId' });
    return staging;
  }

  /** Where an image goes: never a slot that something runs from or that a fallback needs. */
  async #place(header: SlotHeader): Promise<{ readonly region: FlashRegion; readonly target: CommitImage }> {
    const { imageType, componentId, imageId, size } = header;
    if (imageType === IMAGE_TYPES.Applications) {
      const slot = await this.#freeApplicationSlot(header);
      const region = FLASH_MAP.applications[slot];
      if (region === undefined) throw new MonitorError('NoFreeSlot', 'All slots for apps are in use.');
      return { region, target: { kind: 'application', application: { componentId, imageId, slot, size } } };
    }
    const type = SYSTEM_IMAGE_TYPES.find((name) => IMAGE_TYPES[name] === imageType);
    if (type === undefined) {
      throw new MonitorError('UnsupportedImageType', `Images of type ${imageType} have no place here.`, {
        field: 'imageType',
      });
    }
    if (componentId !== SYSTEM_COMPONENT_IDS[type]) {
      throw new MonitorError(
        'ImageIdentityInconsistency',
        `${componentId} is not the component of ${type}.`,
        {
          field: 'componentId',
          rule: SYSTEM_COMPONENT_IDS[type],
        },
      );
    }
    this.#slots.requireSettled();
    const slot = this.#slots.runningSlot(type) === 'A' ? 'B' : 'A';
    return { region: FLASH_MAP.system[type][slot], target: { kind: 'system', type, slot, imageId } };
  }

  /** The slot where this very image was begun, or else any free one; -1: none. */
  async #freeApplicationSlot(header: SlotHeader): Promise<number> {
    const used = new Set(this.#slots.usedApplicationSlots);
    for (const { target } of this.#stagings.values()) {
      if (target.kind === 'application') used.add(target.application.slot);
    }
    let free = -1;
    for (const [slot, region] of FLASH_MAP.applications.entries()) {
      if (used.has(slot)) continue;
      const present = await readSlotHeader(this.#flash, region);
      if (present !== null && isSameImage(present, header)) return slot;
      if (free < 0) free = slot;
    }
    return free;
  }

  /** Makes a slot ready for this image; gives the bytes that are already there from an earlier try. */
  async #prepare(region: FlashRegion, header: SlotHeader): Promise<number> {
    const present = await readSlotHeader(this.#flash, region);
    if (present !== null && isSameImage(present, header)) {
      const sectors = Math.ceil(header.size / FLASH_SECTOR);
      const marks = await this.#flash.read(region.offset + SLOT_PROGRESS_MARKS, sectors);
      // Slots of a new chip have no progress marks, but are complete.
      const [complete] = await this.#flash.read(region.offset + SLOT_COMPLETE_MARK, 1);
      const whole = marks.findIndex((mark) => mark !== 0);
      if (complete === 0 || whole < 0) return header.size;
      return whole * FLASH_SECTOR;
    }
    await this.#flash.erase(region.offset, FLASH_SECTOR);
    await this.#flash.program(region.offset, encodeSlotHeader(header));
    return 0;
  }

  async #append(staging: Staging, bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (staging.tail.length + rest.length >= FLASH_SECTOR) {
      const sector = new Uint8Array(FLASH_SECTOR);
      const taken = FLASH_SECTOR - staging.tail.length;
      sector.set(staging.tail);
      sector.set(rest.subarray(0, taken), staging.tail.length);
      await this.#flushSector(staging, sector);
      rest = rest.subarray(taken);
    }
    const tail = new Uint8Array(staging.tail.length + rest.length);
    tail.set(staging.tail);
    tail.set(rest, staging.tail.length);
    staging.tail = tail;
  }

  /** Writes the next sector (the last one may be shorter) and marks it. */
  async #flushSector(staging: Staging, bytes: Uint8Array): Promise<void> {
    const { region, flushed } = staging;
    const offset = region.offset + SLOT_PACKAGE_OFFSET + flushed;
    const old = await this.#flash.read(offset, FLASH_SECTOR);
    if (old.some((byte) => byte !== 0xff)) await this.#flash.erase(offset, FLASH_SECTOR);
    await this.#flash.program(offset, bytes);
    await this.#flash.program(region.offset + SLOT_PROGRESS_MARKS + flushed / FLASH_SECTOR, Uint8Array.of(0));
    staging.flushed += bytes.length;
    staging.tail = new Uint8Array(0);
  }

  async #written({ region, flushed, tail }: Staging, offset: number, length: number): Promise<Uint8Array> {
    const fromFlash = Math.max(0, Math.min(length, flushed - offset));
    const bytes = new Uint8Array(length);
    if (fromFlash > 0)
      bytes.set(await this.#flash.read(region.offset + SLOT_PACKAGE_OFFSET + offset, fromFlash));
    if (length > fromFlash) {
      const start = offset + fromFlash - flushed;
      bytes.set(tail.subarray(start, start + length - fromFlash), fromFlash);
    }
    return bytes;
  }

  async #verify({ header, region }: Staging): Promise<void> {
    const bytes = await this.#flash.read(region.offset + SLOT_PACKAGE_OFFSET, header.size);
    if (!equalBytes(await this.#pluton.sha256(bytes), header.digest)) {
      throw new MonitorError('DigestMismatch', 'What was written has another digest than announced.', {
        field: 'digest',
      });
    }
    const image = await this.#pluton.verifyImage(bytes, header.imageType, false);
    if (image.imageId !== header.imageId || image.componentId !== header.componentId) {
      throw new MonitorError('ImageIdentityInconsistency', 'The image is another one than announced.', {
        field: 'imageId',
      });
    }
    if (header.imageType === IMAGE_TYPES.Applications) this.#slots.requireRecentApplication(image);
  }
}

function isSameImage(a: SlotHeader, b: SlotHeader): boolean {
  return (
    a.imageType === b.imageType &&
    a.componentId === b.componentId &&
    a.imageId === b.imageId &&
    a.size === b.size &&
    equalBytes(a.digest, b.digest)
  );
}

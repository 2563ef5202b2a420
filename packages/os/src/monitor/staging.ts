import {
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  MOST_STAGINGS,
  SLOT_COMPLETE_MARK,
  SLOT_PROGRESS_MARKS,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  encodeSectorList,
  encodeSlotHeader,
  equalBytes,
  slotCapacity,
  systemPlace,
  type ImagePlace,
  type SlotHeader,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import { isWorn, type FlashPort, type PlutonPort } from './ports.ts';
import { findImage, isSameImage, placeApplication, readPackage, type AnySlot } from './places.ts';
import type { CommitImage, Slots } from './slots.ts';

interface Staging {
  readonly id: number;
  readonly header: SlotHeader;
  readonly place: ImagePlace;
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
  /** Sectors that did not take what they were told: passed over until the next boot. Offsets in flash. */
  readonly #worn = new Set<number>();
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
    const { place, slot, target } = await this.#place(header);
    const written = await this.#prepare(place, header, slot);
    const staging: Staging = {
      id: this.#nextId++,
      header,
      place,
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
    const { header, place } = staging;
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
      await this.#flash.erase(place.header, FLASH_SECTOR);
      throw error;
    }
    await this.#flash.program(place.header + SLOT_COMPLETE_MARK, Uint8Array.of(0));
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

  /** Header sectors of finished images that are not committed yet. */
  get finishedHeaders(): ReadonlySet<number> {
    return new Set(
      [...this.#stagings.values()].filter((staging) => staging.isFinished).map(({ place }) => place.header),
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
  async #place(
    header: SlotHeader,
  ): Promise<{ readonly place: ImagePlace; readonly slot: AnySlot; readonly target: CommitImage }> {
    const { imageType, componentId, imageId, size } = header;
    if (imageType === IMAGE_TYPES.Applications) {
      requireSize(size, FLASH_MAP.applications.bytes);
      const { slot, place } = await this.#placeOfApplication(header);
      const application = { componentId, imageId, slot, size };
      return { place, slot, target: { kind: 'application', application } };
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
    const region = FLASH_MAP.system[type][slot];
    requireSize(size, slotCapacity(region));
    return {
      place: systemPlace(region, size),
      slot: region,
      target: { kind: 'system', type, slot, imageId },
    };
  }

  /** Where this very image was begun, or else where nothing lies that is needed. */
  async #placeOfApplication(
    header: SlotHeader,
  ): Promise<{ readonly slot: number; readonly place: ImagePlace }> {
    this.#makeRoom(header.size);
    const kept = new Map<number, ImagePlace | null>();
    for (const { target, place } of this.#stagings.values())
      if (target.kind === 'application') kept.set(target.application.slot, place);
    for (const slot of this.#slots.usedApplicationSlots)
      kept.set(slot, (await findImage(this.#flash, slot))?.place ?? null);
    return placeApplication(this.#flash, kept, this.#worn, header);
  }

  /**
   * What is staged is within the limits of what may be installed. The oldest staging is given up for the newest: nobody
   * may come back to what an earlier plan named.
   */
  #makeRoom(size: number): void {
    const { most, bytes } = FLASH_MAP.applications;
    const staged = [...this.#stagings.values()].filter(({ target }) => target.kind === 'application');
    let total = staged.reduce((sum, { header }) => sum + header.size, size);
    while (total > bytes || staged.length >= most) {
      const oldest = staged.shift();
      if (oldest === undefined) return;
      total -= oldest.header.size;
      this.#stagings.delete(oldest.id);
    }
  }

  /** Makes a slot ready for this image; gives the bytes that are already there from an earlier try. */
  async #prepare(place: ImagePlace, header: SlotHeader, slot: AnySlot): Promise<number> {
    const present = await findImage(this.#flash, slot);
    // Begun here before, and not in sectors that it has had to leave.
    const isHere = present?.place.sectors.every((sector, index) => sector === place.sectors[index]);
    if (present !== null && isHere === true && isSameImage(present.header, header)) {
      const marks = await this.#flash.read(place.header + SLOT_PROGRESS_MARKS, place.sectors.length);
      // Slots of a new chip have no progress marks, but are complete.
      const [complete] = await this.#flash.read(place.header + SLOT_COMPLETE_MARK, 1);
      const whole = marks.findIndex((mark) => mark !== 0);
      if (complete === 0 || whole < 0) return header.size;
      return whole * FLASH_SECTOR;
    }
    await this.#orWorn(place.header, async () => {
      await this.#flash.erase(place.header, FLASH_SECTOR);
      await this.#flash.program(place.header, encodeSlotHeader(header));
      if (typeof slot === 'number') {
        const list = encodeSectorList(place);
        await this.#flash.program(list.offset, list.bytes);
      }
    });
    return 0;
  }

  /** Remembers a sector that refuses because it is worn out. */
  async #orWorn(sector: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isWorn(error)) this.#worn.add(sector);
      throw error;
    }
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
    const { place, flushed } = staging;
    const index = flushed / FLASH_SECTOR;
    const offset = place.sectors[index];
    if (offset === undefined) throw new MonitorError('ImageTooLarge', 'The image has no sector left.');
    try {
      await this.#orWorn(offset, async () => {
        const old = await this.#flash.read(offset, FLASH_SECTOR);
        if (old.some((byte) => byte !== 0xff)) await this.#flash.erase(offset, FLASH_SECTOR);
        await this.#flash.program(offset, bytes);
      });
      await this.#orWorn(place.header, () =>
        this.#flash.program(place.header + SLOT_PROGRESS_MARKS + index, Uint8Array.of(0)),
      );
    } catch (error) {
      // It cannot be gone on with here: whoever begins it again is given another place.
      if (isWorn(error)) this.#stagings.delete(staging.id);
      throw error;
    }
    staging.flushed += bytes.length;
    staging.tail = new Uint8Array(0);
  }

  async #written({ place, flushed, tail }: Staging, offset: number, length: number): Promise<Uint8Array> {
    const fromFlash = Math.max(0, Math.min(length, flushed - offset));
    const bytes = new Uint8Array(length);
    if (fromFlash > 0) bytes.set(await readPackage(this.#flash, place, offset, fromFlash));
    if (length > fromFlash) {
      const start = offset + fromFlash - flushed;
      bytes.set(tail.subarray(start, start + length - fromFlash), fromFlash);
    }
    return bytes;
  }

  async #verify({ header, place }: Staging): Promise<void> {
    const bytes = await readPackage(this.#flash, place, 0, header.size);
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

function requireSize(size: number, room: number): void {
  if (size <= room) return;
  throw new MonitorError('ImageTooLarge', `The image has ${size} bytes.`, {
    field: 'size',
    rule: `at most ${room} bytes`,
  });
}

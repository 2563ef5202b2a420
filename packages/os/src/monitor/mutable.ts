import {
  FLASH_MAP,
  FLASH_SECTOR,
  concatBytes,
  crc32,
  guidFromBytes,
  guidToBytes,
  viewOf,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import { isWorn, type FlashPort } from './ports.ts';

const { offset: REGION, length: REGION_LENGTH } = FLASH_MAP.mutable;
const SECTORS = REGION_LENGTH / FLASH_SECTOR;
const MAGIC = 0x31554d53; // "SMU1", little-endian
const HEADER = 48;
const PART = FLASH_SECTOR - HEADER;

/** One sector of the storage, as its header describes it. */
interface Part {
  readonly sector: number;
  readonly version: number;
  readonly index: number;
  readonly total: number;
  readonly componentId: string;
  readonly bytes: Uint8Array;
}

/** A whole version of a component's content. */
interface Content {
  readonly version: number;
  readonly sectors: readonly number[];
}

/**
 * One opaque content for each component. A new version is written beside the old one, in sectors of its own; it
 * holds from the moment its last sector is whole, and then the old one is cleared away. So a power cut leaves the
 * old content or the new one.
 */
export class MutableStorage {
  readonly #flash: FlashPort;
  #contents: Map<string, Content> | null = null;
  #nextVersion = 1;
  #nextSector = 0;
  /** Sectors that did not take what they were told: not asked again before the next boot. */
  readonly #worn = new Set<number>();
  /** Components of which an old version lies in a worn sector, from which nothing can clear it. */
  readonly #haunted = new Set<string>();

  constructor(flash: FlashPort) {
    this.#flash = flash;
  }

  async read(componentId: string): Promise<Uint8Array | null> {
    const content = (await this.#opened()).get(componentId);
    if (content === undefined) return null;
    const parts: Uint8Array[] = [];
    for (const sector of content.sectors) {
      const part = parsePart(await this.#flash.read(REGION + sector * FLASH_SECTOR, FLASH_SECTOR), sector);
      if (part === null)
        throw new MonitorError('HardwareFault', 'Mutable storage has been damaged in flash.');
      parts.push(part.bytes);
    }
    return concatBytes(...parts);
  }

  /** Replaces a component's content; true: there was one. Throws `StorageFull`, and then the old content stays. */
  async write(componentId: string, bytes: Uint8Array): Promise<boolean> {
    const contents = await this.#opened();
    const total = Math.max(1, Math.ceil(bytes.length / PART));
    const content = await this.#store(componentId, total, bytes);
    const old = contents.get(componentId);
    contents.set(componentId, content);
    if (!(await this.#clear(old?.sectors ?? []))) this.#haunted.add(componentId);
    return old !== undefined;
  }

  /** True: there was a content. */
  async delete(componentId: string): Promise<boolean> {
    const contents = await this.#opened();
    const content = contents.get(componentId);
    if (content === undefined) return false;
    const isCleared = await this.#clear(content.sectors);
    contents.delete(componentId);
    // An older version comes back only out of a worn sector, which could not be cleared: an empty one outranks it.
    if (!isCleared || this.#haunted.has(componentId))
      contents.set(componentId, await this.#store(componentId, 1, new Uint8Array(0)));
    return true;
  }

  async #store(componentId: string, total: number, bytes: Uint8Array): Promise<Content> {
    const version = this.#nextVersion++;
    const sectors: number[] = [];
    while (sectors.length < total) {
      const index = sectors.length;
      const sector = await this.#freeSector(sectors);
      const content = bytes.subarray(index * PART, (index + 1) * PART);
      const part = { sector, version, index, total, componentId, bytes: content };
      try {
        await this.#fill(sector, encodePart(part));
        sectors.push(sector);
      } catch (error) {
        // Torn by its checksum, like after a power cut; another sector takes it.
        if (!isWorn(error)) throw error;
        this.#worn.add(sector);
      }
    }
    return { version, sectors };
  }

  async #fill(sector: number, bytes: Uint8Array): Promise<void> {
    const offset = REGION + sector * FLASH_SECTOR;
    const old = await this.#flash.read(offset, FLASH_SECTOR);
    if (old.some((byte) => byte !== 0xff)) await this.#flash.erase(offset, FLASH_SECTOR);
    await this.#flash.program(offset, bytes);
  }

  /** The next in turn, so that all sectors wear alike. */
  async #freeSector(taken: readonly number[]): Promise<number> {
    const used = new Set([...(await this.#opened()).values()].flatMap(({ sectors }) => sectors));
    for (let step = 0; step < SECTORS; step++) {
      const sector = (this.#nextSector + step) % SECTORS;
      if (used.has(sector) || taken.includes(sector) || this.#worn.has(sector)) continue;
      this.#nextSector = (sector + 1) % SECTORS;
      return sector;
    }
    throw new MonitorError('StorageFull', 'Mutable storage is full.', { rule: 'a free sector' });
  }

  /** Makes the sectors of an old version mean nothing: their first words are cleared. False: a worn one kept them. */
  async #clear(sectors: readonly number[]): Promise<boolean> {
    let isCleared = true;
    for (const sector of sectors) {
      try {
        await this.#flash.program(REGION + sector * FLASH_SECTOR, new Uint8Array(4));
      } catch (error) {
        // An old version loses to its successor whenever both are read.
        if (!isWorn(error)) throw error;
        this.#worn.add(sector);
        isCleared = false;
      }
    }
    return isCleared;
  }

  /** Reads the storage once, and finishes what a power cut left half done. */
  async #opened(): Promise<Map<string, Content>> {
    if (this.#contents !== null) return this.#contents;
    const bytes = await this.#flash.read(REGION, REGION_LENGTH);
    const parts: Part[] = [];
    for (let sector = 0; sector < SECTORS; sector++) {
      const part = parsePart(bytes.subarray(sector * FLASH_SECTOR, (sector + 1) * FLASH_SECTOR), sector);
      if (part !== null) parts.push(part);
    }
    const contents = new Map<string, Content>();
    for (const content of wholeContents(parts)) {
      this.#nextVersion = Math.max(this.#nextVersion, content.version + 1);
      const present = contents.get(content.componentId);
      if (present === undefined || present.version < content.version)
        contents.set(content.componentId, content);
    }
    for (const { version } of parts) this.#nextVersion = Math.max(this.#nextVersion, version + 1);
    this.#contents = contents;
    // Old and torn versions: they must not be taken for whole when a later one has gone.
    const leftovers = parts.filter(
      ({ componentId, version }) => contents.get(componentId)?.version !== version,
    );
    for (const { sector, componentId } of leftovers)
      if (!(await this.#clear([sector]))) this.#haunted.add(componentId);
    return contents;
  }
}

/** The versions of which every sector is there. */
function wholeContents(parts: readonly Part[]): (Content & { readonly componentId: string })[] {
  const versions = Map.groupBy(parts, ({ version }) => version);
  return [...versions].flatMap(([version, members]) => {
    const [first] = members;
    if (first === undefined) return [];
    const { total, componentId } = first;
    const sorted = members.toSorted((a, b) => a.index - b.index);
    const isWhole =
      sorted.length === total &&
      sorted.every(
        (part, index) => part.index === index && part.total === total && part.componentId === componentId,
      );
    return isWhole ? [{ version, componentId, sectors: sorted.map(({ sector }) => sector) }] : [];
  });
}

function encodePart({ version, index, total, componentId, bytes }: Part): Uint8Array {
  const body = new Uint8Array(HEADER - 8 + bytes.length);
  const view = viewOf(body);
  view.setUint32(0, version, true);
  view.setUint16(4, index, true);
  view.setUint16(6, total, true);
  view.setUint32(8, bytes.length, true);
  body.set(guidToBytes(componentId), 12);
  body.set(bytes, HEADER - 8);
  const frame = new Uint8Array(8);
  viewOf(frame).setUint32(0, MAGIC, true);
  viewOf(frame).setUint32(4, crc32(body), true);
  return concatBytes(frame, body);
}

function parsePart(bytes: Uint8Array, sector: number): Part | null {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) return null;
  const length = view.getUint32(16, true);
  if (length > PART || view.getUint32(4, true) !== crc32(bytes.subarray(8, HEADER + length))) return null;
  return {
    sector,
    version: view.getUint32(8, true),
    index: view.getUint16(12, true),
    total: view.getUint16(14, true),
    componentId: guidFromBytes(bytes.subarray(20, 36)),
    bytes: bytes.slice(HEADER, HEADER + length),
  };
}

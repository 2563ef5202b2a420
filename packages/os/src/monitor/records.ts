import {
  FLASH_MAP,
  FLASH_PAGE,
  FLASH_SECTOR,
  MOST_RECORD,
  concatBytes,
  crc32,
  viewOf,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import { isWorn, type FlashPort } from './ports.ts';

const { offset: REGION, length: REGION_LENGTH } = FLASH_MAP.records;
const SECTORS = REGION_LENGTH / FLASH_SECTOR;
const PAGES = FLASH_SECTOR / FLASH_PAGE;
const MAGIC = 0x32435253; // "SRC2", little-endian
const HEADER = 16;
/** Zeros at the start of every later page of a record: what stands in a record can never be taken for one. */
const LATER_PAGE = 4;

/** A live record, and where it lies. */
interface Place {
  readonly id: number;
  readonly sector: number;
  readonly page: number;
  readonly length: number;
}

/**
 * The log of records in flash: append-only sectors, each record on pages of its own. A record counts once its
 * checksum fits, which is after its last page; it is removed by clearing its first word. So a power cut leaves
 * every record whole, or not there. Only a page's first word makes it a record, and that word is never content.
 */
export class RecordLog {
  readonly #flash: FlashPort;
  #live: Place[] | null = null;
  #nextId = 1;
  /** Where the next record goes: the sector being filled and its first free page. */
  #sector = 0;
  #page = PAGES;
  /** Sectors that did not take what they were told: not asked again before the next boot. */
  readonly #worn = new Set<number>();

  constructor(flash: FlashPort) {
    this.#flash = flash;
  }

  /** Appends a record; when this resolves it is safe. Gives its id. Throws `RecordsFull`. */
  async append(record: Uint8Array): Promise<number> {
    const live = await this.#opened();
    const pages = pagesOf(record.length);
    for (;;) {
      if (this.#page + pages > PAGES) await this.#takeNextSector(live);
      const place = { id: this.#nextId, sector: this.#sector, page: this.#page, length: record.length };
      // Whatever happens to them from here on, these pages are used.
      this.#page += pages;
      this.#nextId += 1;
      try {
        await this.#flash.program(offsetOf(place), encodeRecord(place.id, record));
      } catch (error) {
        if (!isWorn(error)) throw error;
        // Torn by its checksum, like after a power cut; another sector takes it.
        this.#worn.add(this.#sector);
        this.#page = PAGES;
        continue;
      }
      live.push(place);
      return place.id;
    }
  }

  /** The oldest records, at most `most`. */
  async list(most: number): Promise<{ readonly id: number; readonly record: Uint8Array }[]> {
    const records: { id: number; record: Uint8Array }[] = [];
    for (const place of (await this.#opened()).slice(0, most)) {
      const pages = await this.#flash.read(offsetOf(place), pagesOf(place.length) * FLASH_PAGE);
      records.push({ id: place.id, record: contentOf(pages, place.length) });
    }
    return records;
  }

  /** Removes records; ids that are not there (any more) are passed over. */
  async remove(ids: readonly number[]): Promise<void> {
    const live = await this.#opened();
    for (const id of ids) {
      const index = live.findIndex((place) => place.id === id);
      const place = live[index];
      if (place === undefined) continue;
      live.splice(index, 1);
      try {
        await this.#flash.program(offsetOf(place), new Uint8Array(4));
      } catch (error) {
        // Worn: it may be back after the next boot, and is uploaded once more. Better twice than never.
        if (!isWorn(error)) throw error;
        this.#worn.add(place.sector);
      }
    }
  }

  /** A sector without live records, the next one in turn, so that all wear alike. */
  async #takeNextSector(live: readonly Place[]): Promise<void> {
    for (let step = 1; step <= SECTORS; step++) {
      const sector = (this.#sector + step) % SECTORS;
      if (this.#worn.has(sector) || live.some((place) => place.sector === sector)) continue;
      const bytes = await this.#flash.read(REGION + sector * FLASH_SECTOR, FLASH_SECTOR);
      if (bytes.some((byte) => byte !== 0xff) && !(await this.#erase(sector))) continue;
      this.#sector = sector;
      this.#page = 0;
      return;
    }
    throw new MonitorError('RecordsFull', 'The log of records is full.', {
      rule: 'upload and remove records first',
    });
  }

  /** False: the sector is worn out. */
  async #erase(sector: number): Promise<boolean> {
    try {
      await this.#flash.erase(REGION + sector * FLASH_SECTOR, FLASH_SECTOR);
      return true;
    } catch (error) {
      if (!isWorn(error)) throw error;
      this.#worn.add(sector);
      return false;
    }
  }

  /** Reads the log once. Torn and removed records leave used pages behind, and nothing else. */
  async #opened(): Promise<Place[]> {
    if (this.#live !== null) return this.#live;
    const bytes = await this.#flash.read(REGION, REGION_LENGTH);
    const live: Place[] = [];
    for (let sector = 0; sector < SECTORS; sector++) {
      for (let page = 0; page < PAGES;) {
        const place = readPlace(bytes, sector, page);
        if (place !== null) live.push(place);
        page += place === null ? 1 : pagesOf(place.length);
      }
    }
    live.sort((a, b) => a.id - b.id);
    const newest = live.at(-1);
    if (newest !== undefined) {
      this.#nextId = newest.id + 1;
      this.#sector = newest.sector;
      this.#page = firstBlankPage(bytes, newest.sector);
    }
    this.#live = live;
    return live;
  }
}

function offsetOf({ sector, page }: Pick<Place, 'sector' | 'page'>): number {
  return REGION + sector * FLASH_SECTOR + page * FLASH_PAGE;
}

/** Pages of a record of `length` bytes: the first holds a header as well, every later one its mark. */
function pagesOf(length: number): number {
  const beyondFirst = Math.max(0, length - (FLASH_PAGE - HEADER));
  return 1 + Math.ceil(beyondFirst / (FLASH_PAGE - LATER_PAGE));
}

/** The content of a record out of its pages. */
function contentOf(pages: Uint8Array, length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < pages.length; at += FLASH_PAGE) {
    parts.push(pages.subarray(at + (at === 0 ? HEADER : LATER_PAGE), at + FLASH_PAGE));
  }
  return concatBytes(...parts).slice(0, length);
}

function checksumOf(id: number, record: Uint8Array): number {
  const numbers = new Uint8Array(8);
  viewOf(numbers).setUint32(0, id, true);
  viewOf(numbers).setUint32(4, record.length, true);
  return crc32(concatBytes(numbers, record));
}

function encodeRecord(id: number, record: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER);
  viewOf(header).setUint32(0, MAGIC, true);
  viewOf(header).setUint32(4, checksumOf(id, record), true);
  viewOf(header).setUint32(8, id, true);
  viewOf(header).setUint32(12, record.length, true);
  const parts = [header, record.subarray(0, FLASH_PAGE - HEADER)];
  for (let at = FLASH_PAGE - HEADER; at < record.length; at += FLASH_PAGE - LATER_PAGE) {
    parts.push(new Uint8Array(LATER_PAGE), record.subarray(at, at + FLASH_PAGE - LATER_PAGE));
  }
  return concatBytes(...parts);
}

function readPlace(region: Uint8Array, sector: number, page: number): Place | null {
  const start = sector * FLASH_SECTOR + page * FLASH_PAGE;
  const view = viewOf(region.subarray(start, start + FLASH_PAGE));
  if (view.getUint32(0, true) !== MAGIC) return null;
  const id = view.getUint32(8, true);
  const length = view.getUint32(12, true);
  if (length > MOST_RECORD || page + pagesOf(length) > PAGES) return null;
  const record = contentOf(region.subarray(start, start + pagesOf(length) * FLASH_PAGE), length);
  return view.getUint32(4, true) === checksumOf(id, record) ? { id, sector, page, length } : null;
}

function firstBlankPage(region: Uint8Array, sector: number): number {
  const bytes = region.subarray(sector * FLASH_SECTOR, (sector + 1) * FLASH_SECTOR);
  const lastUsed = bytes.findLastIndex((byte) => byte !== 0xff);
  return lastUsed < 0 ? 0 : Math.floor(lastUsed / FLASH_PAGE) + 1;
}

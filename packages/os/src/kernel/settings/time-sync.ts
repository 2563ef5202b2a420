import { toProblem } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';
import { SntpClient, type SntpAnswer, type SntpHost } from '../lan/sntp-client.ts';
import type { TimeKeeper } from '../time-keeper.ts';
import type { FieldReader, FieldWriter } from './fields.ts';

/** The time server of devices whose app chose none. */
const DEFAULT_SERVER = 'time.sevenfold.invalid';
const MODES = ['default', 'automatic', 'custom'] as const;
const LONGEST_HOST = 255;
const HOST = /^[A-Za-z0-9.-]*$/;
/** Once a day; sooner where nobody answered. */
const DAY = 86_400_000;
const FIRST_RETRY = 60_000;
const LONGEST_RETRY = 3_600_000;

/** What it stands on. */
export interface TimeSyncHost extends SntpHost {
  readonly timeKeeper: TimeKeeper;
  readonly log: (line: string) => void;
  /** Time servers that a DHCP server named (option 42), as addresses. */
  readonly leasedServers: () => readonly string[];
}

/** Which time servers the device asks, and when it last did (applibs/networking.h). */
export class TimeSync {
  readonly #host: TimeSyncHost;
  readonly #client: SntpClient;
  #isEnabled = true;
  #mode: (typeof MODES)[number] = 'default';
  #servers: readonly string[] = [];
  #hasFallback = true;
  #lastSync: SntpAnswer | null = null;
  /** Counts settings: what began under older ones ends. */
  #generation = 0;

  constructor(host: TimeSyncHost) {
    this.#host = host;
    this.#client = new SntpClient(host);
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  setEnabled(reader: FieldReader): void {
    this.#isEnabled = reader.flag();
    this.synchronise();
  }

  /** Which servers tell the time; they are asked at once. */
  setServers(reader: FieldReader): void {
    const mode = MODES[reader.number(MODES.length - 1)] ?? 'default';
    const hasFallback = reader.flag();
    const servers = [reader.text(LONGEST_HOST), reader.text(LONGEST_HOST)].filter((name) => name !== '');
    if (mode === 'custom' && servers.length === 0)
      throw new KernelError('BadSetting', 'No time server is named.');
    if (!servers.every((name) => HOST.test(name)))
      throw new KernelError('BadSetting', 'A time server is a host name or an IPv4 address.');
    this.#mode = mode;
    this.#hasFallback = hasFallback;
    this.#servers = servers;
    this.#client.reset();
    this.synchronise();
  }

  writeLast(writer: FieldWriter): void {
    if (this.#lastSync === null) throw new KernelError('NoSuchFile', 'The time was never synchronised.');
    const { server, before, time } = this.#lastSync;
    writer
      .text(server)
      .seconds(Math.floor(before / 1000))
      .seconds(Math.floor(time / 1000));
  }

  /** After a boot: servers that an app chose are asked again. */
  begin(): void {
    if (this.#mode !== 'default') this.synchronise();
  }

  /** There is an address: where DHCP names the servers they may be others now, and nobody may have been asked yet. */
  leaseChanged(): void {
    const isWaiting = this.#mode === 'custom' && this.#lastSync === null;
    if (this.#mode === 'automatic' || isWaiting) this.synchronise();
  }

  /** Asks now, and again each day. */
  synchronise(): void {
    this.#generation += 1;
    if (this.#isEnabled) void this.#run(this.#generation);
  }

  async #run(generation: number): Promise<void> {
    const { clock } = this.#host;
    for (let retry = FIRST_RETRY; ;) {
      const answer = await this.#client.query(this.#chosen(), (found) => this.#accept(found, generation));
      if (generation !== this.#generation) return;
      if (answer !== null) this.#lastSync = answer;
      await clock.sleep(answer === null ? retry : DAY);
      if (generation !== this.#generation) return;
      retry = answer === null ? Math.min(LONGEST_RETRY, retry * 2) : FIRST_RETRY;
    }
  }

  #chosen(): readonly string[] {
    const chosen = {
      default: [],
      automatic: this.#host.leasedServers(),
      custom: this.#servers,
    }[this.#mode];
    return this.#mode === 'default' || this.#hasFallback ? [...chosen, DEFAULT_SERVER] : chosen;
  }

  async #accept({ server, time }: SntpAnswer, generation: number): Promise<boolean> {
    if (generation !== this.#generation) return false;
    try {
      await this.#host.timeKeeper.set(Math.round(time), 'server');
      return true;
    } catch (error) {
      this.#host.log(`the time of ${server} is not taken: ${toProblem(error).message}`);
      return false;
    }
  }

  save(writer: FieldWriter): void {
    writer.flag(this.#isEnabled).number(MODES.indexOf(this.#mode)).flag(this.#hasFallback);
    writer.text(this.#servers[0] ?? '').text(this.#servers[1] ?? '');
  }

  load(reader: FieldReader): void {
    this.#isEnabled = reader.flag();
    this.#mode = MODES[reader.number(MODES.length - 1)] ?? 'default';
    this.#hasFallback = reader.flag();
    this.#servers = [reader.text(LONGEST_HOST), reader.text(LONGEST_HOST)].filter((name) => name !== '');
  }
}

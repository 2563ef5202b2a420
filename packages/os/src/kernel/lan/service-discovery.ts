import type { Clock } from '@sevenfold/formats';
import { DNS_TYPE, readDns, type DnsRecord } from './dns-message.ts';

/** Multicast DNS (RFC 6762 §3). */
export const MDNS_ADDRESS = 0xe000_00fb;
export const MDNS_PORT = 5353;
/** A service's name as a manifest has it: `_http._tcp.local`. */
const SERVICE_NAME = /^_[a-z0-9-]{1,15}\._(?:tcp|udp)\.local$/;
const MOST_HOSTS = 16;
const LEAST_TTL = 5;
const MOST_TTL = 3600;

/** A host that a service's answer named, and where it said of itself to be. */
interface Host {
  /** 0: it has not said yet. */
  readonly address: number;
  /** Monotonic ms. */
  readonly until: number;
}

/** The names of a manifest that are services of the local network. */
export function serviceNames(allowedConnections: readonly string[]): readonly string[] {
  return allowedConnections.filter((name) => SERVICE_NAME.test(name));
}

/**
 * What one app finds out about the services of its manifest by multicast DNS (RFC 6763). It asks for those and for
 * what belongs to them; an answer is believed about the host that sent it, and about nobody else.
 */
export class ServiceDiscovery {
  readonly #services: readonly string[];
  readonly #clock: Clock;
  readonly #hosts = new Map<string, Host>();

  constructor(services: readonly string[], clock: Clock) {
    this.#services = services;
    this.#clock = clock;
  }

  /** Whether the app may send this to everybody: questions about its services, and nothing besides. */
  mayAsk(message: Uint8Array): boolean {
    const parsed = readDns(message);
    return (
      parsed !== null &&
      !parsed.isAnswer &&
      parsed.questions.length > 0 &&
      parsed.answers.length === 0 &&
      parsed.more.length === 0 &&
      parsed.questions.every(({ name }) => this.#isOfService(name) || this.#hosts.has(name))
    );
  }

  /** Takes an answer in. False: it is none, or speaks of something else; the app does not get it. */
  learn(from: number, message: Uint8Array): boolean {
    const parsed = readDns(message);
    if (parsed === null || !parsed.isAnswer || parsed.answers.length === 0) return false;
    const records = [...parsed.answers, ...parsed.more];
    const named = records.flatMap((record) =>
      record.type === DNS_TYPE.service && this.#isOfService(record.name) && record.target !== null
        ? [record.target]
        : [],
    );
    const isOurs = ({ name }: DnsRecord): boolean =>
      this.#isOfService(name) || named.includes(name) || this.#hosts.has(name);
    const pointsHome = records.every(
      ({ type, target }) => type !== DNS_TYPE.pointer || (target !== null && this.#isOfService(target)),
    );
    if (!records.every(isOurs) || !pointsHome) return false;
    for (const name of named) if (!this.#hosts.has(name)) this.#remember(name, { address: 0, until: 0 });
    for (const { name, address, ttl } of records) {
      // Nobody speaks for somebody else: not for a neighbour, and not for the world.
      if (address !== from || !this.#hosts.has(name)) continue;
      // A host that takes its leave says so with 0 (RFC 6762 §10.1).
      const seconds = ttl === 0 ? 0 : Math.min(MOST_TTL, Math.max(LEAST_TTL, ttl));
      this.#remember(name, { address, until: this.#clock.monotonic() + seconds * 1000 });
    }
    return true;
  }

  /** Whether a host of a service has said that it is there. */
  reaches(address: number): boolean {
    const now = this.#clock.monotonic();
    return [...this.#hosts.values()].some((host) => host.address === address && host.until > now);
  }

  /** A service, or one of its instances. */
  #isOfService(name: string): boolean {
    return this.#services.some((service) => name === service || name.endsWith(`.${service}`));
  }

  #remember(name: string, host: Host): void {
    this.#hosts.delete(name);
    this.#hosts.set(name, host);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > MOST_HOSTS && oldest !== undefined) this.#hosts.delete(oldest);
  }
}

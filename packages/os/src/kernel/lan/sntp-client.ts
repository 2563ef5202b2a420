import { isBytes, type Clock, type Port, type PortValue } from '@sevenfold/formats';
import { readSntpAnswer, SNTP_PORT, writeSntpRequest } from './sntp.ts';
import { UdpPort } from './udp-port.ts';

/** What a time server said. */
export interface SntpAnswer {
  readonly server: string;
  /** The device's own time when the answer came, and the server's: ms since 1970. */
  readonly before: number;
  readonly time: number;
}

/** What a client stands on. */
export interface SntpHost {
  readonly hardware: Port;
  readonly clock: Clock;
  readonly random: (length: number) => Promise<Uint8Array>;
}

const PATIENCE = 2000;
const NONCE = 8;
/** A server that sent a Kiss-o'-Death is left alone for so long; one that refuses service, for good. */
const RATE_TIME = 3_600_000;
const REFUSALS: readonly string[] = ['DENY', 'RSTR'];

function firstAddress(value: PortValue): number | null {
  if (typeof value !== 'object' || value === null || isBytes(value)) return null;
  const addresses: unknown = Reflect.get(value, 'addresses');
  const first: unknown = Array.isArray(addresses) ? addresses[0] : null;
  return typeof first === 'number' ? first : null;
}

/** Asks time servers one after the other (SNTP, RFC 4330). */
export class SntpClient {
  readonly #host: SntpHost;
  /** Monotonic ms before which a server is not asked. */
  readonly #silenced = new Map<string, number>();

  constructor(host: SntpHost) {
    this.#host = host;
  }

  /** Forgets what servers said of themselves: they are others now. */
  reset(): void {
    this.#silenced.clear();
  }

  /** The first that `accept` takes; null: none answered in time, or none was believed. */
  async query(
    servers: readonly string[],
    accept: (answer: SntpAnswer) => Promise<boolean>,
  ): Promise<SntpAnswer | null> {
    const { clock } = this.#host;
    for (const server of servers) {
      if ((this.#silenced.get(server) ?? 0) > clock.monotonic()) continue;
      try {
        const time = await this.#ask(server);
        if (time === null) continue;
        const answer = { server, before: clock.now(), time };
        if (await accept(answer)) return answer;
      } catch {
        // Not resolved, not reachable: the next one may be.
      }
    }
    return null;
  }

  async #ask(server: string): Promise<number | null> {
    const { hardware, clock, random } = this.#host;
    const address = firstAddress(await hardware.call('resolveName', server.toLowerCase()));
    if (address === null) return null;
    const port = await UdpPort.open(hardware, clock, 0, 'any');
    try {
      const nonce = await random(NONCE);
      await port.send(address, SNTP_PORT, writeSntpRequest(nonce));
      const deadline = clock.monotonic() + PATIENCE;
      while (clock.monotonic() < deadline) {
        const datagram = await port.receiveWithin(deadline - clock.monotonic());
        // Anybody may send here: what is no answer to the question is not waited for any less.
        if (datagram === null || datagram.address !== address || datagram.port !== SNTP_PORT) continue;
        const verdict = readSntpAnswer(datagram.bytes, nonce);
        if (verdict.kind === 'time') return verdict.time;
        if (verdict.kind === 'kiss') {
          const isForGood = REFUSALS.includes(verdict.code);
          this.#silenced.set(server, isForGood ? Infinity : clock.monotonic() + RATE_TIME);
          return null;
        }
      }
      return null;
    } finally {
      await port.close();
    }
  }
}

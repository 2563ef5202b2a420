import { equalBytes, type Clock } from '@sevenfold/formats';
import {
  CLIENT_PORT,
  DHCP,
  numberOption,
  numbers,
  OPTION,
  readDhcp,
  writeDhcp,
  type DhcpMessage,
} from './dhcp-message.ts';
import type { UdpPort } from './udp-port.ts';

/** What a private network is given: one address (applibs/networking.h). */
export interface AddressServerConfig {
  /** The server's own. */
  readonly own: number;
  readonly lease: number;
  readonly mask: number;
  readonly gateway: number;
  readonly hours: number;
  readonly timeServers: readonly number[];
}

const BROADCAST = 0xffff_ffff;
const HOUR = 3_600_000;
const SECONDS = 3600;
/** Ms for which an offer is kept for whom it was made, and an address that somebody else has is given to nobody. */
const OFFER_TIME = 60_000;
const DECLINED_TIME = HOUR;
const MOST_SECONDS = 0xffff_ffff;

/** A DHCP server with one address to give away (RFC 2131 §4.3). */
export class DhcpServer {
  readonly #config: AddressServerConfig;
  readonly #clock: Clock;
  /** Whose the address is, until when (monotonic ms); empty: nobody may have it. */
  #holder: { readonly client: Uint8Array; readonly until: number } | null = null;

  constructor(config: AddressServerConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** Answers until the port is closed. */
  async serve(port: UdpPort): Promise<void> {
    for (;;) {
      const { bytes } = await port.receive();
      const message = readDhcp(bytes);
      const answer = message === null || message.isReply ? null : this.answer(message);
      if (answer === null) continue;
      // Who has no address yet hears only what is for all; whoever claims a foreign one is not written to there.
      const isThere = answer.clientAddress === this.#config.lease;
      const to = isThere ? answer.clientAddress : BROADCAST;
      // What cannot be sent now is asked for again.
      await port.send(to, CLIENT_PORT, writeDhcp(answer)).catch(() => undefined);
    }
  }

  /** What is said to a client; null: nothing. */
  answer(message: DhcpMessage): DhcpMessage | null {
    switch (message.type) {
      case DHCP.discover:
        if (!this.#isFreeFor(message)) return null;
        this.#give(message, OFFER_TIME);
        return this.#reply(message, DHCP.offer);
      case DHCP.request:
        return this.#request(message);
      case DHCP.release:
        if (message.clientAddress === this.#config.lease && this.#isHolder(message)) this.#holder = null;
        return null;
      case DHCP.decline:
        if (this.#isHolder(message))
          this.#holder = { client: new Uint8Array(0), until: this.#clock.monotonic() + DECLINED_TIME };
        return null;
      case DHCP.inform:
        return this.#reply(message, DHCP.acknowledge);
      default:
        return null;
    }
  }

  #request(message: DhcpMessage): DhcpMessage | null {
    const chosen = numberOption(message, OPTION.server);
    if (chosen !== null && chosen !== this.#config.own) {
      // Another server's offer was taken: ours is free again.
      if (this.#isHolder(message)) this.#holder = null;
      return null;
    }
    const wanted = numberOption(message, OPTION.requestedAddress) ?? message.clientAddress;
    if (wanted !== this.#config.lease || !this.#isFreeFor(message))
      return { ...this.#reply(message, DHCP.refuse), clientAddress: 0, yourAddress: 0 };
    this.#give(message, this.#config.hours * HOUR);
    return this.#reply(message, DHCP.acknowledge);
  }

  #give({ hardwareAddress }: DhcpMessage, milliseconds: number): void {
    const now = this.#clock.monotonic();
    // A client that asks anew keeps what it has.
    const before =
      this.#holder !== null && equalBytes(this.#holder.client, hardwareAddress) ? this.#holder.until : 0;
    this.#holder = { client: hardwareAddress, until: Math.max(before, now + milliseconds) };
  }

  #isHolder({ hardwareAddress }: DhcpMessage): boolean {
    return this.#holder !== null && equalBytes(this.#holder.client, hardwareAddress);
  }

  #isFreeFor(message: DhcpMessage): boolean {
    return this.#holder === null || this.#holder.until <= this.#clock.monotonic() || this.#isHolder(message);
  }

  #reply(message: DhcpMessage, type: number): DhcpMessage {
    const { own, lease, mask, gateway, hours, timeServers } = this.#config;
    const isGiving = message.type !== DHCP.inform && type !== DHCP.refuse;
    return {
      ...message,
      isReply: true,
      type,
      yourAddress: isGiving ? lease : 0,
      options: new Map([
        [OPTION.server, numbers(own)],
        ...(isGiving ? [[OPTION.leaseTime, numbers(Math.min(MOST_SECONDS, hours * SECONDS))] as const] : []),
        ...(type === DHCP.refuse
          ? []
          : [
              [OPTION.mask, numbers(mask)] as const,
              ...(gateway === 0 ? [] : [[OPTION.router, numbers(gateway)] as const]),
              ...(timeServers.length === 0 ? [] : [[OPTION.timeServers, numbers(...timeServers)] as const]),
            ]),
      ]),
    };
  }
}

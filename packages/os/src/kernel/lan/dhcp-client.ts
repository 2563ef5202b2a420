import { equalBytes, viewOf, type Clock, type Port } from '@sevenfold/formats';
import {
  CLIENT_PORT,
  DHCP,
  numberOption,
  numbers,
  OPTION,
  readDhcp,
  SERVER_PORT,
  writeDhcp,
  type DhcpMessage,
} from './dhcp-message.ts';
import { UdpPort } from './udp-port.ts';

/** An address that a server gave. */
export interface Lease {
  readonly address: number;
  readonly mask: number;
  /** Who gave it, and the time servers that it named. */
  readonly server: number;
  readonly timeServers: readonly number[];
  /** Ms that it holds. */
  readonly time: number;
}

/** What a client stands on. */
export interface DhcpClientHost {
  readonly hardware: Port;
  readonly clock: Clock;
  readonly random: (length: number) => Promise<Uint8Array>;
  /** Told of each lease; null: it has run out. The interface has it when this resolves. */
  readonly onLease: (lease: Lease | null) => Promise<void>;
}

const BROADCAST = 0xffff_ffff;
const SECOND = 1000;
/** RFC 2131 §4.1: four seconds, doubled up to 64. */
const FIRST_PATIENCE = 4 * SECOND;
const LONGEST_PATIENCE = 64 * SECOND;
const SHORTEST_LEASE = 60;
const LONGEST_LEASE = 7 * 24 * 3600;
const MOST_SERVERS = 3;
const SHORTEST_PREFIX = 8;
const LONGEST_PREFIX = 30;

/** Bits of a mask's prefix; null: it is no mask. */
function prefixOf(mask: number): number | null {
  const bits = 32 - Math.log2(2 ** 32 - mask);
  return Number.isInteger(bits) && bits >= SHORTEST_PREFIX && bits <= LONGEST_PREFIX ? bits : null;
}

/** Whether an address can be a device's on a private network: none of this network, loopback, multicast or reserved. */
function isUsable(address: number, mask: number): boolean {
  const first = address >>> 24;
  const host = (address & ~mask) >>> 0;
  const isServiceNetwork = (address & 0xffff_ff00) >>> 0 === 0xc0a8_2300;
  return (
    first !== 0 &&
    first !== 127 &&
    first < 224 &&
    address >>> 16 !== 0xa9fe &&
    !isServiceNetwork &&
    host !== 0 &&
    host !== ~mask >>> 0
  );
}

/** A DHCP client on the private network (RFC 2131 §4.4): asks until somebody gives an address, and renews it. */
export class DhcpClient {
  readonly #host: DhcpClientHost;
  readonly #hardwareAddress: Uint8Array;
  #port: UdpPort | null = null;
  #isStopped = false;
  #lease: Lease | null = null;

  constructor(host: DhcpClientHost, hardwareAddress: Uint8Array) {
    this.#host = host;
    this.#hardwareAddress = hardwareAddress;
  }

  /** Runs until it is stopped. */
  async run(): Promise<void> {
    this.#port = await UdpPort.open(this.#host.hardware, this.#host.clock, CLIENT_PORT, 'eth0');
    // Stopped while it was opened: nobody else would close it.
    if (this.#isStopped) return this.#port.close();
    let patience = FIRST_PATIENCE;
    while (!this.#isStopped) {
      const lease = await this.#obtain(patience);
      if (lease === null) {
        patience = Math.min(LONGEST_PATIENCE, patience * 2);
        continue;
      }
      patience = FIRST_PATIENCE;
      await this.#hold(lease);
    }
  }

  /** Gives the address back. */
  async stop(): Promise<void> {
    const port = this.#port;
    this.#isStopped = true;
    if (port === null) return;
    if (this.#lease !== null) {
      const { address, server } = this.#lease;
      const release = this.#message(DHCP.release, 0, address, [[OPTION.server, numbers(server)]]);
      // Best effort (RFC 2131 §4.4.6): an interface that is down sends nothing.
      await port.send(server, SERVER_PORT, release).catch(() => undefined);
    }
    await port.close();
  }

  async #obtain(patience: number): Promise<Lease | null> {
    const transaction = viewOf(await this.#host.random(4)).getUint32(0);
    const wishes: Options = [[OPTION.parameters, Uint8Array.of(OPTION.mask, OPTION.timeServers)]];
    const offer = await this.#exchange(this.#message(DHCP.discover, transaction, 0, wishes), BROADCAST, {
      transaction,
      patience,
      types: [DHCP.offer],
    });
    if (offer === null) return null;
    const server = numberOption(offer, OPTION.server);
    if (server === null || this.#leaseOf(offer) === null) return null;
    const request = this.#message(DHCP.request, transaction, 0, [
      [OPTION.requestedAddress, numbers(offer.yourAddress)],
      [OPTION.server, numbers(server)],
      ...wishes,
    ]);
    const types = [DHCP.acknowledge, DHCP.refuse];
    const answer = await this.#exchange(request, BROADCAST, { transaction, patience, types });
    return answer?.type === DHCP.acknowledge ? this.#leaseOf(answer) : null;
  }

  /** Has the address until it cannot be renewed any more. */
  async #hold(first: Lease): Promise<void> {
    const { clock, onLease } = this.#host;
    for (let lease: Lease | null = first; lease !== null;) {
      this.#lease = lease;
      const ends = clock.monotonic() + lease.time;
      await onLease(lease);
      let renewed: Lease | null = null;
      // Half of what is left, and half of that (RFC 2131 §4.4.5).
      while (renewed === null && !this.#isStopped && ends - clock.monotonic() > SHORTEST_LEASE * 500) {
        await clock.sleep((ends - clock.monotonic()) / 2);
        if (!this.#isStopped) renewed = await this.#renew(lease);
      }
      if (this.#isStopped) return;
      lease = renewed;
    }
    this.#lease = null;
    await onLease(null);
  }

  async #renew({ address, server }: Lease): Promise<Lease | null> {
    const transaction = viewOf(await this.#host.random(4)).getUint32(0);
    const request = this.#message(DHCP.request, transaction, address, []);
    const patience = FIRST_PATIENCE;
    const types = [DHCP.acknowledge, DHCP.refuse];
    const answer = await this.#exchange(request, server, { transaction, patience, types });
    return answer?.type === DHCP.acknowledge && answer.yourAddress === address ? this.#leaseOf(answer) : null;
  }

  /** Sends, and waits for an answer to this very question. */
  async #exchange(
    bytes: Uint8Array,
    to: number,
    { transaction, patience, types }: { transaction: number; patience: number; types: readonly number[] },
  ): Promise<DhcpMessage | null> {
    const { clock } = this.#host;
    const deadline = clock.monotonic() + patience;
    if (this.#port === null) return null;
    await this.#port.send(to, SERVER_PORT, bytes).catch(() => undefined);
    while (!this.#isStopped && clock.monotonic() < deadline) {
      const datagram = await this.#port.receiveWithin(deadline - clock.monotonic());
      const message = datagram === null ? null : readDhcp(datagram.bytes);
      const isOurs =
        message !== null &&
        message.isReply &&
        message.transaction === transaction &&
        equalBytes(message.hardwareAddress, this.#hardwareAddress) &&
        types.includes(message.type);
      if (isOurs) return message;
    }
    return null;
  }

  /** What a message gives; null: nothing that an interface could have. */
  #leaseOf(message: DhcpMessage): Lease | null {
    const mask = numberOption(message, OPTION.mask);
    const server = numberOption(message, OPTION.server);
    const seconds = numberOption(message, OPTION.leaseTime);
    if (mask === null || server === null || seconds === null || prefixOf(mask) === null) return null;
    if (!isUsable(message.yourAddress, mask)) return null;
    const times = message.options.get(OPTION.timeServers) ?? new Uint8Array(0);
    const count = Math.min(MOST_SERVERS, Math.floor(times.length / 4));
    return {
      address: message.yourAddress,
      mask,
      server,
      timeServers: Array.from({ length: count }, (_, index) => viewOf(times).getUint32(index * 4)),
      time: Math.min(LONGEST_LEASE, Math.max(SHORTEST_LEASE, seconds)) * SECOND,
    };
  }

  #message(type: number, transaction: number, clientAddress: number, options: Options): Uint8Array {
    return writeDhcp({
      isReply: false,
      type,
      transaction,
      clientAddress,
      yourAddress: 0,
      hardwareAddress: this.#hardwareAddress,
      options: new Map(options),
    });
  }
}

type Options = readonly (readonly [code: number, value: Uint8Array])[];

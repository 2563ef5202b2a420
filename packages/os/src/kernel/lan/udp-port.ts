import { isBytes, type Clock, type Port, type PortValue } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';

/** A datagram and who sent it: whoever it was may have said anything. */
export interface Datagram {
  readonly address: number;
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** Datagrams that are looked at in a second; what else comes waits, and beyond the board's queue is lost. */
const MOST_A_SECOND = 100;
const SECOND = 1000;

function recordOf(value: PortValue): { readonly [key: string]: PortValue } {
  // A record of a port is what is neither null, an array nor bytes; anything else has none of the fields asked for.
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value)
    ? (value as { readonly [key: string]: PortValue })
    : {};
}

/** A UDP port of the OS itself. A flood costs it no more than it is allowed to. */
export class UdpPort {
  readonly #hardware: Port;
  readonly #clock: Clock;
  readonly #socket: number;
  #waiting: Promise<Datagram> | null = null;
  #second = 0;
  #inSecond = 0;
  #isClosed = false;

  private constructor(hardware: Port, clock: Clock, socket: number) {
    this.#hardware = hardware;
    this.#clock = clock;
    this.#socket = socket;
  }

  /** On any interface, or on Ethernet's private network alone. Port 0: any. */
  static async open(hardware: Port, clock: Clock, port: number, on: 'any' | 'eth0'): Promise<UdpPort> {
    const { socket } = recordOf(await hardware.call('udpOpen', port, on));
    if (typeof socket !== 'number') throw new KernelError('BadReply', 'The network gave no socket.');
    return new UdpPort(hardware, clock, socket);
  }

  async send(address: number, port: number, bytes: Uint8Array): Promise<void> {
    await this.#hardware.call('udpSend', this.#socket, address, port, bytes);
  }

  /** The next datagram. Rejects when the port is closed. */
  async receive(): Promise<Datagram> {
    this.#waiting ??= this.#next();
    try {
      return await this.#waiting;
    } finally {
      this.#waiting = null;
    }
  }

  /** The next datagram within so many ms; null: none came. */
  async receiveWithin(milliseconds: number): Promise<Datagram | null> {
    this.#waiting ??= this.#next();
    const waiting = this.#waiting;
    const datagram = await Promise.race([waiting, this.#clock.sleep(milliseconds).then(() => null)]);
    if (datagram !== null) this.#waiting = null;
    return datagram;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Whoever waits learns of it; nobody may.
    this.#waiting?.catch(() => undefined);
    await this.#hardware.call('socketClose', this.#socket);
  }

  async #next(): Promise<Datagram> {
    await this.#pace();
    for (;;) {
      const { address, port, bytes } = recordOf(await this.#hardware.call('udpReceive', this.#socket));
      if (typeof address === 'number' && typeof port === 'number' && isBytes(bytes))
        return { address, port, bytes };
    }
  }

  async #pace(): Promise<void> {
    const second = Math.floor(this.#clock.monotonic() / SECOND);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    this.#inSecond += 1;
    if (this.#inSecond > MOST_A_SECOND)
      await this.#clock.sleep((second + 1) * SECOND - this.#clock.monotonic());
  }
}

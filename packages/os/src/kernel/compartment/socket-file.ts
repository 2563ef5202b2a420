import { isBytes, type Port, type PortValue } from '@sevenfold/formats';
import { ConnectionStream } from './connection-stream.ts';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, READY, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

/** An IPv4 address as a number, and a port. */
export interface Endpoint {
  readonly address: number;
  readonly port: number;
}

/** What one receive gave. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

const NOWHERE: Endpoint = { address: 0, port: 0 };
const CALLS = { read: 'netRead', write: 'netWrite', close: 'netClose' } as const;

function fieldsOf(value: PortValue): { readonly [key: string]: PortValue } {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value))
    throw new CallRefused('EIO');
  // A record of a port: what is neither null, an array nor bytes.
  return value as { readonly [key: string]: PortValue };
}

function endpointOf(fields: { readonly [key: string]: PortValue }, address: string, port: string): Endpoint {
  return { address: Number(fields[address] ?? 0), port: Number(fields[port] ?? 0) };
}

/** What both kinds of sockets offer; each refuses what it has not with POSIX's errno. */
export abstract class SocketFile extends OpenFile {
  readonly fileType: number = FILE_TYPE.stream;
  /** Options that are on, by the host's number. */
  readonly switches = new Set<number>();
  /** `SO_RCVTIMEO` and `SO_SNDTIMEO` in ms; 0: waits for ever. */
  receivePatience = 0;
  sendPatience = 0;
  local = NOWHERE;
  peer: Endpoint | null = null;

  abstract bind(local: Endpoint): void | Promise<void>;
  abstract connect(peer: Endpoint): void | Promise<void>;
  abstract sendTo(bytes: Uint8Array, to: Endpoint | null): number | Promise<number>;
  abstract receiveFrom(most: number, isPeek: boolean): Received | Promise<Received>;

  listen(_backlog: number): Promise<void> {
    throw new CallRefused('ENOTSUP');
  }

  accept(): SocketFile | Promise<SocketFile> {
    throw new CallRefused('ENOTSUP');
  }

  /** As `connect`, by name and through the device's proxy. */
  connectHost(_host: string, _port: number): Promise<void> {
    throw new CallRefused('ENOTSUP');
  }

  shutdown(): Promise<void> {
    throw new CallRefused('ENOTCONN');
  }

  get isListening(): boolean {
    return false;
  }

  /** `SO_ERROR`. */
  takeError(): number {
    return 0;
  }

  override write(bytes: Uint8Array): number | Promise<number> {
    return this.sendTo(bytes, null);
  }

  override read(most: number): Uint8Array | Promise<Uint8Array> {
    const received = this.receiveFrom(most, false);
    return received instanceof Promise ? received.then(({ bytes }) => bytes) : received.bytes;
  }
}

/** TCP: a connection, or a listener that gives connections. */
export class StreamSocket extends SocketFile {
  readonly #kernel: Port;
  readonly #waker: Waker;
  #stream: ConnectionStream | null = null;
  #listener: number | null = null;
  #isAccepting = false;
  #accepted: StreamSocket | null = null;
  #failure: unknown = null;

  constructor(kernel: Port, waker: Waker) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
  }

  override get isListening(): boolean {
    return this.#listener !== null;
  }

  bind(local: Endpoint): void {
    if (this.local.port !== 0 || this.#stream !== null) throw new CallRefused('EINVAL');
    this.local = local;
  }

  connect(peer: Endpoint): Promise<void> {
    return this.#open(peer, () => this.#kernel.call('netConnect', peer.address, peer.port));
  }

  override connectHost(host: string, port: number): Promise<void> {
    return this.#open({ ...NOWHERE, port }, () => this.#kernel.call('netConnectHost', host, port));
  }

  async #open(peer: Endpoint, open: () => Promise<PortValue>): Promise<void> {
    if (this.#listener !== null) throw new CallRefused('ENOTSUP');
    if (this.#stream !== null) throw new CallRefused(this.peer === null ? 'EALREADY' : 'EISCONN');
    const stream = new ConnectionStream(this.#kernel, this.#waker, CALLS);
    this.#stream = stream;
    const opening = stream.open(async () => {
      const fields = fieldsOf(await open());
      this.local = endpointOf(fields, 'localAddress', 'localPort');
      this.peer = peer;
      return Number(fields['socket']);
    });
    if ((this.flags & NON_BLOCKING) !== 0) {
      opening.catch(() => undefined);
      throw new CallRefused('EINPROGRESS');
    }
    await opening.catch((error: unknown) => {
      // It may be tried again, as on Linux.
      this.#stream = null;
      throw error;
    });
  }

  override async listen(backlog: number): Promise<void> {
    if (this.#stream !== null) throw new CallRefused('EINVAL');
    if (this.#listener !== null) return;
    const fields = fieldsOf(await this.#kernel.call('netListen', this.local.port, Math.max(1, backlog)));
    this.#listener = Number(fields['socket']);
  }

  #beginAccept(): void {
    if (this.#isAccepting || this.#listener === null || this.#accepted !== null || this.#failure !== null)
      return;
    this.#isAccepting = true;
    this.#kernel
      .call('netAccept', this.#listener)
      .then(
        (value) => {
          this.#accepted = this.#adopt(fieldsOf(value));
        },
        (error: unknown) => {
          this.#failure = error;
        },
      )
      .finally(() => {
        this.#isAccepting = false;
        this.#waker.wake();
      });
  }

  #adopt(fields: { readonly [key: string]: PortValue }): StreamSocket {
    const socket = new StreamSocket(this.#kernel, this.#waker);
    const stream = new ConnectionStream(this.#kernel, this.#waker, CALLS);
    socket.#stream = stream;
    socket.local = endpointOf(fields, 'localAddress', 'localPort');
    socket.peer = endpointOf(fields, 'address', 'port');
    void stream.open(() => Promise.resolve(Number(fields['socket'])));
    return socket;
  }

  override accept(): SocketFile | Promise<SocketFile> {
    if (this.#listener === null) throw new CallRefused('EINVAL');
    const socket = this.#takeAccepted();
    if (socket !== null) return socket;
    this.#beginAccept();
    if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#waitAccepted(this.#waker.deadline(this.receivePatience));
  }

  #takeAccepted(): StreamSocket | null {
    const socket = this.#accepted;
    this.#accepted = null;
    if (socket !== null) return socket;
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
    return null;
  }

  async #waitAccepted(deadline: number | null): Promise<StreamSocket> {
    for (;;) {
      const socket = this.#takeAccepted();
      if (socket !== null) return socket;
      this.#beginAccept();
      await this.#waker.untilDeadline(deadline);
    }
  }

  override readiness(): Readiness {
    if (this.#listener === null)
      return this.#stream?.readiness() ?? { events: READY.output | READY.hangUp, changesAt: null };
    this.#beginAccept();
    const isReady = this.#accepted !== null || this.#failure !== null;
    return { events: isReady ? READY.input : 0, changesAt: null };
  }

  #connected(): ConnectionStream {
    if (this.#stream === null) throw new CallRefused('ENOTCONN');
    return this.#stream;
  }

  sendTo(bytes: Uint8Array, to: Endpoint | null): number | Promise<number> {
    if (to !== null) throw new CallRefused('EISCONN');
    return this.#connected().write(bytes, this.flags, this.sendPatience);
  }

  receiveFrom(most: number, isPeek: boolean): Received | Promise<Received> {
    const from = this.peer ?? NOWHERE;
    const bytes = this.#connected().read(most, this.flags, isPeek, this.receivePatience);
    return bytes instanceof Promise ? bytes.then((received) => ({ bytes: received, from })) : { bytes, from };
  }

  override async shutdown(): Promise<void> {
    await this.#kernel.call('netShutdown', this.#connected().connection);
  }

  override takeError(): number {
    return this.#stream?.takeError() ?? 0;
  }

  override async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    const accepted = this.#accepted;
    this.#accepted = null;
    await accepted?.close();
    if (listener !== null) await this.#kernel.call('netClose', listener);
    await this.#stream?.close();
  }
}

/** UDP. */
export class DatagramSocket extends SocketFile {
  override readonly fileType = FILE_TYPE.datagram;
  readonly #kernel: Port;
  readonly #waker: Waker;
  #socket: number | null = null;
  #waiting: Received | null = null;
  #isReceiving = false;
  #failure: unknown = null;

  constructor(kernel: Port, waker: Waker) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
  }

  async bind(local: Endpoint): Promise<void> {
    if (this.#socket !== null) throw new CallRefused('EINVAL');
    const fields = fieldsOf(await this.#kernel.call('netDatagrams', local.port));
    this.#socket = Number(fields['socket']);
    this.local = endpointOf(fields, 'localAddress', 'localPort');
  }

  /** Names the peer of `send` and `recv`; whether it may be reached is said when something is sent. */
  connect(peer: Endpoint): void {
    this.peer = peer;
  }

  async sendTo(bytes: Uint8Array, to: Endpoint | null): Promise<number> {
    const target = to ?? this.peer;
    if (target === null) throw new CallRefused('EDESTADDRREQ');
    if (this.#socket === null) await this.bind(NOWHERE);
    await this.#kernel.call('netSend', this.#socket, target.address, target.port, bytes);
    return bytes.length;
  }

  #receive(): void {
    if (this.#isReceiving || this.#socket === null || this.#waiting !== null || this.#failure !== null)
      return;
    this.#isReceiving = true;
    this.#kernel
      .call('netReceive', this.#socket)
      .then(
        (value) => {
          const fields = fieldsOf(value);
          const { bytes } = fields;
          if (!isBytes(bytes)) throw new CallRefused('EIO');
          const from = endpointOf(fields, 'address', 'port');
          const isForeign =
            this.peer !== null && (from.address !== this.peer.address || from.port !== this.peer.port);
          if (!isForeign) this.#waiting = { bytes, from };
        },
        (error: unknown) => {
          this.#failure = error;
        },
      )
      .finally(() => {
        this.#isReceiving = false;
        this.#waker.wake();
      });
  }

  override readiness(): Readiness {
    this.#receive();
    let events: number = READY.output;
    if (this.#waiting !== null) events |= READY.input;
    if (this.#failure !== null) events |= READY.input | READY.error;
    return { events, changesAt: null };
  }

  #take(most: number, isPeek: boolean): Received | null {
    if (this.#failure !== null) throw this.#failure;
    const received = this.#waiting;
    if (received === null) return null;
    if (!isPeek) this.#waiting = null;
    // What does not fit of a datagram is lost (POSIX recvfrom).
    return { ...received, bytes: received.bytes.subarray(0, most) };
  }

  receiveFrom(most: number, isPeek: boolean): Received | Promise<Received> {
    const received = this.#take(most, isPeek);
    if (received !== null) return received;
    this.#receive();
    if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#wait(most, isPeek, this.#waker.deadline(this.receivePatience));
  }

  async #wait(most: number, isPeek: boolean, deadline: number | null): Promise<Received> {
    for (;;) {
      const received = this.#take(most, isPeek);
      if (received !== null) return received;
      this.#receive();
      await this.#waker.untilDeadline(deadline);
    }
  }

  override async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) await this.#kernel.call('netClose', socket);
  }
}

import type { AppCapabilities } from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import type { DriverBus } from '../drivers/bus.ts';
import { KernelError } from '../errors.ts';
import { Channel } from './channel.ts';
import { MOST_MESSAGE, type Message } from './ring.ts';

/** What is asked of an app at either end: who it is and whom its manifest names. */
export interface Partner {
  readonly componentId: string;
  readonly capabilities: Pick<AppCapabilities, 'allowedApplicationConnections'>;
}

/** Messages that wait for a high-level app; more stay in the ring, and the real-time app finds that full. */
const MOST_WAITING = 16;

interface Connection {
  readonly owner: Compartment;
  /** Component id of the real-time app. */
  readonly partner: string;
  readonly received: Uint8Array[];
  /** Who waits for a message, or for room. */
  waiting: (() => void)[];
  /** Rises whenever something has changed: who looked before looks again. */
  changes: number;
  /** Rises when the other end is lost: what waits then, fails. */
  losses: number;
}

const names = ({ capabilities }: Partner, other: string): boolean =>
  capabilities.allowedApplicationConnections.some((id) => id === other);

/** Messages between high-level and real-time apps whose manifests name each other. */
export class InterCore {
  readonly #bus: DriverBus;
  readonly #log: (line: string) => void;
  /** Every installed real-time app, and its channel while it runs. */
  readonly #partners = new Map<string, { app: Partner; channel: Channel | null; core: number }>();
  readonly #connections = new Map<number, Connection>();
  #nextId = 1;

  constructor(bus: DriverBus, log: (line: string) => void) {
    this.#bus = bus;
    this.#log = log;
  }

  /** A real-time app is there, though it may not run yet. */
  installed(app: Partner): void {
    this.#partners.set(app.componentId, { app, channel: null, core: -1 });
  }

  /** It is gone, and so is what was connected to it. */
  removed(componentId: string): void {
    this.stopped(componentId);
    this.#partners.delete(componentId);
  }

  /** Its core runs: the buffers are made known to it. */
  async started(componentId: string, core: number): Promise<void> {
    const partner = this.#partners.get(componentId);
    if (partner === undefined) return;
    const channel = new Channel(this.#bus, core);
    partner.channel = channel;
    partner.core = core;
    await channel.open();
    this.#wake(componentId);
  }

  /** Its core does not run any more. */
  stopped(componentId: string): void {
    const partner = this.#partners.get(componentId);
    if (partner !== undefined) partner.channel = null;
    this.#lose(componentId);
  }

  /** `Application_Connect`. Refuses with `AccessDenied` unless both manifests name each other. */
  connect(compartment: Compartment, componentId: string): number {
    const { application } = compartment;
    const partner = this.#partners.get(componentId);
    if (
      !names(application, componentId) ||
      (partner !== undefined && !names(partner.app, application.componentId))
    )
      throw new KernelError('AccessDenied', 'The manifests of both apps must name each other.', {
        field: 'Capabilities.AllowedApplicationConnections',
      });
    if (partner === undefined)
      throw new KernelError('ConnectionRefused', `There is no real-time app ${componentId}.`);
    if (
      [...this.#connections.values()].some(
        (each) => each.owner === compartment && each.partner === componentId,
      )
    )
      throw new KernelError('DeviceBusy', 'The app is connected to that app already.');
    const id = this.#nextId;
    this.#nextId += 1;
    this.#connections.set(id, {
      owner: compartment,
      partner: componentId,
      received: [],
      waiting: [],
      changes: 0,
      losses: 0,
    });
    return id;
  }

  /** Resolves when the message is in the ring. Throws `ConnectionLost`, `MessageTooLong`, `AccessDenied`. */
  async send(compartment: Compartment, id: number, payload: Uint8Array): Promise<void> {
    if (payload.length > MOST_MESSAGE)
      throw new KernelError('MessageTooLong', `A message has at most ${MOST_MESSAGE} bytes.`);
    const connection = this.#require(compartment, id);
    const { losses } = connection;
    for (;;) {
      const { changes } = connection;
      if (await this.#sendOver(this.#channelOf(connection), connection, payload)) return;
      await changed(connection, changes);
      this.#require(compartment, id);
      if (connection.losses !== losses) throw lost();
    }
  }

  /** The next message, waited for. Throws `ConnectionLost` when the other end is lost meanwhile. */
  async receive(compartment: Compartment, id: number): Promise<Uint8Array> {
    const connection = this.#require(compartment, id);
    const { losses } = connection;
    for (;;) {
      const message = connection.received.shift();
      if (message !== undefined) {
        // There is room again for what had to stay in the ring.
        if (connection.received.length === MOST_WAITING - 1) void this.#drain(connection.partner);
        return message;
      }
      await changed(connection, connection.changes);
      this.#require(compartment, id);
      if (connection.losses !== losses) throw lost();
    }
  }

  close(compartment: Compartment, id: number): null {
    const connection = this.#require(compartment, id);
    this.#connections.delete(id);
    wake(connection);
    // What it left in the ring is nobody's any more.
    void this.#drain(connection.partner);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  release(compartment: Compartment): void {
    for (const [id, { owner }] of this.#connections) if (owner === compartment) this.close(compartment, id);
  }

  /** The core signalled: it has sent, or has consumed. */
  async signalled(core: number): Promise<void> {
    for (const [componentId, partner] of this.#partners) {
      if (partner.core !== core || partner.channel === null) continue;
      await this.#drain(componentId);
      this.#wake(componentId);
    }
  }

  async #drain(componentId: string): Promise<void> {
    const partner = this.#partners.get(componentId);
    const channel = partner?.channel ?? null;
    if (partner === undefined || channel === null || channel.isHalted) return;
    await channel.receive((message) => this.#deliver(partner.app, message)).catch(() => undefined);
    if (channel.isHalted) this.#halted(componentId);
  }

  #halted(componentId: string): void {
    this.#log(`app ${componentId} broke the ring to its core: no messages until it starts again`);
    this.#lose(componentId);
  }

  /** False: its app does not keep up. A message for nobody who is named and connected is dropped. */
  #deliver(app: Partner, { componentId, payload }: Message): boolean {
    const connection = [...this.#connections.values()].find(
      ({ owner, partner }) => partner === app.componentId && owner.application.componentId === componentId,
    );
    if (connection === undefined || !names(app, componentId)) return true;
    if (connection.received.length >= MOST_WAITING) return false;
    connection.received.push(payload);
    wake(connection);
    return true;
  }

  #channelOf({ owner, partner: id }: Connection): Channel {
    const partner = this.#partners.get(id);
    if (partner === undefined || partner.channel === null || partner.channel.isHalted) throw lost();
    // It may have been updated since.
    if (!names(partner.app, owner.application.componentId))
      throw new KernelError('AccessDenied', 'The manifest of the real-time app names this app no longer.');
    return partner.channel;
  }

  async #sendOver(channel: Channel, { owner, partner }: Connection, payload: Uint8Array): Promise<boolean> {
    try {
      return await channel.send(owner.application.componentId, payload);
    } catch (error) {
      if (channel.isHalted) this.#halted(partner);
      else this.#lose(partner);
      throw error;
    }
  }

  #lose(componentId: string): void {
    for (const connection of this.#connections.values()) {
      if (connection.partner !== componentId) continue;
      connection.losses += 1;
      wake(connection);
    }
  }

  #wake(componentId: string): void {
    for (const connection of this.#connections.values())
      if (connection.partner === componentId) wake(connection);
  }

  #require(compartment: Compartment, id: number): Connection {
    const connection = this.#connections.get(id);
    if (connection?.owner !== compartment) throw new KernelError('NotOpen', 'This connection is not open.');
    return connection;
  }
}

function wake(connection: Connection): void {
  const { waiting } = connection;
  connection.waiting = [];
  connection.changes += 1;
  for (const resume of waiting) resume();
}

/** Resolves when something has changed since: at once, if it has already. */
function changed(connection: Connection, since: number): Promise<void> {
  if (connection.changes !== since) return Promise.resolve();
  return new Promise((resolve) => connection.waiting.push(resolve));
}

const lost = (): KernelError => new KernelError('ConnectionLost', 'The app on the other core is not there.');

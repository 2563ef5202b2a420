import {
  equalBytes,
  isBytes,
  recordArgument,
  uintArgument,
  utf8Decode,
  type Clock,
  type Port,
  type PortValue,
} from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';
import type { Firewall } from './firewall.ts';

/** The device's certificate for a tenant. The key never goes further than the board's network. */
export interface ClientIdentity {
  readonly tenantId: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8. */
  readonly key: Uint8Array;
}

/** Whom an app wants to speak TLS with, and how. */
export interface TlsWish {
  readonly host: string;
  readonly port: number;
  readonly identity: 'none' | 'device';
  /** Whether HTTP/2 is offered. */
  readonly isHttp: boolean;
  /** Past the device's proxy. */
  readonly isDirect: boolean;
  /** The peer is another device of the tenant: any of them, or the one with this id. Null: a server. */
  readonly peer: { readonly deviceId: string | null } | null;
}

/** A proxy that stands between the device and a host, as the board takes it. */
export type ProxyRecord = Readonly<Record<string, string | number>>;

/** What connections stand on. */
export interface ConnectionsHost {
  readonly hardware: Port;
  readonly clock: Clock;
  readonly roots: readonly Uint8Array[];
  readonly deviceId: string;
  readonly firewall: Firewall;
  /** The device's proxy for a host; null: none. */
  readonly proxyFor: (host: string) => Promise<ProxyRecord | null>;
}

/** Life of a device's certificate: so long after an authority's last one there may be devices with one of it. */
const CERTIFICATE_LIFE = 24 * 60 * 60 * 1000;
const MOST_CONNECTIONS = 8;
const MOST_LISTENERS = 2;
const HTTPS_PORT = 443;
const HTTP_PROTOCOLS = ['h2', 'http/1.1'];
const MOST_ROOTS = 16;
const PEM_BEGIN = '-----BEGIN CERTIFICATE-----';
const PEM_END = '-----END CERTIFICATE-----';

/** Certificates of a PEM file, as DER; whether they are any good is for the handshake to find out. */
export function readRoots(pem: Uint8Array): readonly Uint8Array[] {
  try {
    const [, ...blocks] = utf8Decode(pem).split(PEM_BEGIN);
    const roots = blocks.slice(0, MOST_ROOTS + 1).map((block) => {
      const end = block.indexOf(PEM_END);
      return Uint8Array.fromBase64(block.slice(0, Math.max(0, end)));
    });
    if (roots.length > 0 && roots.length <= MOST_ROOTS && roots.every(({ length }) => length > 0))
      return roots;
  } catch (cause) {
    throw new KernelError('BadSetting', 'The roots are no PEM.', { cause });
  }
  throw new KernelError('BadSetting', 'The roots are no PEM file of certificates.', {
    rule: `1 to ${MOST_ROOTS}`,
  });
}

/** TLS of apps: the firewall by host name, and the device's certificate for apps of its tenant. */
export class Connections {
  readonly #host: ConnectionsHost;
  #identity: ClientIdentity | null = null;
  /** The authority that certified this device before, and the monotonic ms to which it still counts. */
  #former: { readonly authority: Uint8Array; readonly until: number } | null = null;
  /** Connections in the device's name. */
  readonly #named = new Map<number, Compartment>();
  /** What HTTP calls the other end of each (RFC 9110 §7.2). */
  readonly #authorities = new Map<number, string>();
  readonly #listeners = new Map<number, Compartment>();

  constructor(host: ConnectionsHost) {
    this.#host = host;
  }

  /**
   * With another tenant's identity, or none, what was opened with the former one is closed: it ends with the trust.
   * With a new one of the same tenant whoever listens goes on, under the new certificate.
   */
  setIdentity(identity: ClientIdentity | null): void {
    const former = this.#identity;
    this.#identity = identity;
    if (identity?.tenantId === former?.tenantId) {
      this.#renew(former);
      return;
    }
    this.#former = null;
    for (const [connection, compartment] of this.#named) {
      this.close(compartment, connection).catch(() => {
        // It has ended by itself: that is all that was wanted.
      });
    }
    for (const [listener, compartment] of this.#listeners) {
      this.closeListener(compartment, listener).catch(() => {
        // As above.
      });
    }
  }

  #renew(former: ClientIdentity | null): void {
    const identity = this.#identity;
    const [before, now] = [former?.chain[1], identity?.chain[1]];
    if (identity === null || now === undefined) return;
    if (before !== undefined && !equalBytes(before, now))
      this.#former = { authority: before, until: this.#host.clock.monotonic() + CERTIFICATE_LIFE };
    for (const listener of this.#listeners.keys()) {
      this.#host.hardware.call('tlsRenew', listener, this.#serviceOf(identity)).catch(() => {
        // It has been closed meanwhile, or goes on as what it was.
      });
    }
  }

  #serviceOf(identity: ClientIdentity): { readonly [key: string]: PortValue } {
    return { chain: identity.chain, key: identity.key, ...this.#peersOf(identity) };
  }

  /** Who counts as a device of the tenant: whom its authority certified, the one before it a day ago, or the next one. */
  #peersOf({ chain }: ClientIdentity): { readonly roots: Uint8Array[]; readonly issuer: Uint8Array | null } {
    const [, authority, issuer = null] = chain;
    if (authority === undefined)
      throw new KernelError('NotReady', 'The certificate of the device came without its issuer.');
    const former = this.#former;
    const isFormerIn = former !== null && this.#host.clock.monotonic() < former.until;
    return { roots: [authority, ...(isFormerIn ? [former.authority] : [])], issuer };
  }

  isReady(compartment: Compartment): boolean {
    const { deviceAuthentication } = compartment.application.capabilities;
    return deviceAuthentication !== null && this.#identity?.tenantId === deviceAuthentication;
  }

  /** The id that stands in the device's certificate: apps that may use the certificate may know it. */
  deviceId(compartment: Compartment): string {
    if (compartment.application.capabilities.deviceAuthentication === null) {
      throw new KernelError('AccessDenied', 'The manifest does not ask for device authentication.', {
        field: 'Capabilities.DeviceAuthentication',
      });
    }
    return this.#host.deviceId;
  }

  /**
   * Steps in order: host named by the manifest; identity allowed and there; room; where the host is, by the OS's own
   * resolver unless a proxy reaches it; connected.
   */
  async connect(compartment: Compartment, wish: TlsWish): Promise<number> {
    const { hardware, firewall, proxyFor, roots } = this.#host;
    const { host, port } = wish;
    firewall.requireNamed(compartment, host);
    const client = wish.identity === 'device' ? this.#identityFor(compartment) : null;
    if (wish.peer !== null && client === null)
      throw new KernelError('AccessDenied', 'To another device one speaks as a device.');
    if (compartment.connections.size + compartment.connecting >= MOST_CONNECTIONS) {
      throw new KernelError('TooManyOpen', `An app may have ${MOST_CONNECTIONS} connections.`);
    }
    compartment.connecting += 1;
    try {
      const proxy = wish.isDirect ? null : await proxyFor(host);
      const address = proxy === null ? await firewall.addressOf(compartment, host) : null;
      const connection = await hardware.call('tlsConnect', {
        host,
        port,
        serverName: host,
        address,
        proxy,
        ...(wish.isHttp ? { alpn: HTTP_PROTOCOLS } : {}),
        ...(client === null ? {} : { clientChain: client.chain, clientKey: client.key }),
        ...(wish.peer === null || client === null
          ? { roots: compartment.tlsRoots ?? roots }
          : { peer: 'device', deviceId: wish.peer.deviceId, ...this.#peersOf(client) }),
      });
      if (typeof connection !== 'number')
        throw new KernelError('BadReply', 'The network gave no connection.');
      this.#authorities.set(connection, port === HTTPS_PORT ? host : `${host}:${port}`);
      await this.#adopt(compartment, connection, client);
      return connection;
    } finally {
      compartment.connecting -= 1;
    }
  }

  /** It is the compartment's now, unless that or the identity has come to an end meanwhile. */
  async #adopt(compartment: Compartment, connection: number, client: ClientIdentity | null): Promise<void> {
    compartment.connections.add(connection);
    if (client !== null) this.#named.set(connection, compartment);
    const isIdentityGone = client !== null && client.tenantId !== this.#identity?.tenantId;
    if (compartment.isEnded || isIdentityGone) {
      // What it held was released while this one opened: nobody else would close it.
      await this.close(compartment, connection);
      throw new KernelError('NotOpen', 'App or identity came to an end before this connection was open.');
    }
  }

  /** What ALPN chose: `h2`, `http/1.1` or nothing. */
  async protocol(compartment: Compartment, connection: number): Promise<PortValue> {
    this.#require(compartment, connection);
    return this.#host.hardware.call('tlsProtocol', connection);
  }

  /** What HTTP calls the host of a connection. */
  authorityOf(compartment: Compartment, connection: number): string {
    this.#require(compartment, connection);
    return this.#authorities.get(connection) ?? '';
  }

  /** Steps in order: port named by the manifest; identity allowed and there; room; listening to the tenant's devices. */
  async listen(compartment: Compartment, port: number, backlog: number): Promise<number> {
    this.#host.firewall.requireServerPort(compartment, 'Tcp', port);
    const identity = this.#identityFor(compartment);
    if ([...this.#listeners.values()].filter((owner) => owner === compartment).length >= MOST_LISTENERS)
      throw new KernelError('TooManyOpen', `An app may listen to devices on ${MOST_LISTENERS} ports.`);
    const service = this.#serviceOf(identity);
    const listener = await this.#host.hardware.call('tlsListen', { port, backlog, ...service });
    if (typeof listener !== 'number') throw new KernelError('BadReply', 'The network gave no listener.');
    this.#listeners.set(listener, compartment);
    if (compartment.isEnded || identity.tenantId !== this.#identity?.tenantId) {
      await this.closeListener(compartment, listener);
      throw new KernelError('NotOpen', 'App or identity came to an end before it listened.');
    }
    // A new certificate that came while this one opened.
    if (this.#identity !== identity) this.#renew(identity);
    return listener;
  }

  /** A device of the tenant that has come: `{connection, deviceId, address, port}`. */
  async accept(compartment: Compartment, listener: number): Promise<PortValue> {
    this.#requireListener(compartment, listener);
    const client = this.#identityFor(compartment);
    const accepted = await this.#host.hardware.call('tlsAccept', listener);
    const { connection, deviceId, address, port } = recordArgument(accepted, 'accepted', [
      'connection',
      'deviceId',
      'address',
      'port',
    ]);
    const id = uintArgument(connection, 'accepted.connection');
    const isFull = compartment.connections.size + compartment.connecting >= MOST_CONNECTIONS;
    await this.#adopt(compartment, id, client);
    if (isFull) {
      await this.close(compartment, id);
      throw new KernelError('TooManyOpen', `An app may have ${MOST_CONNECTIONS} connections.`);
    }
    return { connection: id, deviceId: deviceId ?? '', address: address ?? 0, port: port ?? 0 };
  }

  async closeListener(compartment: Compartment, listener: number): Promise<null> {
    this.#requireListener(compartment, listener);
    this.#listeners.delete(listener);
    await this.#host.hardware.call('tlsUnlisten', listener);
    return null;
  }

  async read(compartment: Compartment, connection: number, most: number): Promise<PortValue> {
    this.#require(compartment, connection);
    const bytes = await this.#host.hardware.call('tlsRead', connection, most);
    if (!isBytes(bytes)) throw new KernelError('BadReply', 'The network gave no bytes.');
    return bytes;
  }

  async write(compartment: Compartment, connection: number, bytes: Uint8Array): Promise<null> {
    this.#require(compartment, connection);
    await this.#host.hardware.call('tlsWrite', connection, bytes);
    return null;
  }

  async close(compartment: Compartment, connection: number): Promise<null> {
    this.#require(compartment, connection);
    compartment.connections.delete(connection);
    this.#named.delete(connection);
    this.#authorities.delete(connection);
    await this.#host.hardware.call('tlsClose', connection);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  async release(compartment: Compartment): Promise<void> {
    for (const connection of compartment.connections) await this.close(compartment, connection);
    for (const [listener, owner] of this.#listeners)
      if (owner === compartment) await this.closeListener(compartment, listener);
  }

  #identityFor(compartment: Compartment): ClientIdentity {
    const wanted = compartment.application.capabilities.deviceAuthentication;
    const where = { field: 'Capabilities.DeviceAuthentication' };
    if (wanted === null)
      throw new KernelError('AccessDenied', 'The manifest does not ask for device authentication.', where);
    if (this.#identity === null) throw new KernelError('NotReady', 'The device has no certificate yet.');
    if (this.#identity.tenantId !== wanted) {
      throw new KernelError(
        'AccessDenied',
        'The device belongs to another tenant than the manifest names.',
        where,
      );
    }
    return this.#identity;
  }

  #requireListener(compartment: Compartment, listener: number): void {
    if (this.#listeners.get(listener) !== compartment)
      throw new KernelError('NotOpen', 'This listener is not open.');
  }

  #require(compartment: Compartment, connection: number): void {
    if (!compartment.connections.has(connection))
      throw new KernelError('NotOpen', 'This connection is not open.');
  }
}

import { isBytes, utf8Decode, type Port, type PortValue } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';

/** The device's certificate for a tenant. The key never goes further than the board's network. */
export interface ClientIdentity {
  readonly tenantId: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8. */
  readonly key: Uint8Array;
}

const MOST_CONNECTIONS = 8;
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
  readonly #hardware: Port;
  readonly #roots: readonly Uint8Array[];
  readonly #deviceId: string;
  #identity: ClientIdentity | null = null;
  /** Connections in the device's name. */
  readonly #named = new Map<number, Compartment>();

  constructor(hardware: Port, roots: readonly Uint8Array[], deviceId: string) {
    this.#hardware = hardware;
    this.#roots = roots;
    this.#deviceId = deviceId;
  }

  /** With another tenant's identity, or none, what was opened with the former one is closed: it ends with the trust. */
  setIdentity(identity: ClientIdentity | null): void {
    const isSame = identity?.tenantId === this.#identity?.tenantId;
    this.#identity = identity;
    if (isSame) return;
    for (const [connection, compartment] of this.#named) {
      this.close(compartment, connection).catch(() => {
        // It has ended by itself: that is all that was wanted.
      });
    }
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
    return this.#deviceId;
  }

  /** Steps in order: host named by the manifest; identity allowed and there; room; connected. */
  async connect(
    compartment: Compartment,
    host: string,
    port: number,
    identity: 'none' | 'device',
  ): Promise<number> {
    const { allowedConnections } = compartment.application.capabilities;
    if (!allowedConnections.includes(host.toLowerCase())) {
      throw new KernelError('AccessDenied', 'The manifest does not name this host.', {
        field: 'Capabilities.AllowedConnections',
      });
    }
    const client = identity === 'device' ? this.#identityFor(compartment) : null;
    if (compartment.connections.size + compartment.connecting >= MOST_CONNECTIONS) {
      throw new KernelError('TooManyOpen', `An app may have ${MOST_CONNECTIONS} connections.`);
    }
    compartment.connecting += 1;
    try {
      const connection = await this.#hardware.call('tlsConnect', {
        host,
        port,
        serverName: host,
        roots: compartment.tlsRoots ?? this.#roots,
        ...(client === null ? {} : { clientChain: client.chain, clientKey: client.key }),
      });
      if (typeof connection !== 'number')
        throw new KernelError('BadReply', 'The network gave no connection.');
      compartment.connections.add(connection);
      if (client !== null) this.#named.set(connection, compartment);
      const isIdentityGone = client !== null && client.tenantId !== this.#identity?.tenantId;
      if (compartment.isEnded || isIdentityGone) {
        // What it held was released while this one opened: nobody else would close it.
        await this.close(compartment, connection);
        throw new KernelError('NotOpen', 'App or identity came to an end before this connection was open.');
      }
      return connection;
    } finally {
      compartment.connecting -= 1;
    }
  }

  async read(compartment: Compartment, connection: number, most: number): Promise<PortValue> {
    this.#require(compartment, connection);
    const bytes = await this.#hardware.call('tlsRead', connection, most);
    if (!isBytes(bytes)) throw new KernelError('BadReply', 'The network gave no bytes.');
    return bytes;
  }

  async write(compartment: Compartment, connection: number, bytes: Uint8Array): Promise<null> {
    this.#require(compartment, connection);
    await this.#hardware.call('tlsWrite', connection, bytes);
    return null;
  }

  async close(compartment: Compartment, connection: number): Promise<null> {
    this.#require(compartment, connection);
    compartment.connections.delete(connection);
    this.#named.delete(connection);
    await this.#hardware.call('tlsClose', connection);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  async release(compartment: Compartment): Promise<void> {
    for (const connection of compartment.connections) await this.close(compartment, connection);
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

  #require(compartment: Compartment, connection: number): void {
    if (!compartment.connections.has(connection))
      throw new KernelError('NotOpen', 'This connection is not open.');
  }
}

import { createServer, type Server, type TLSSocket } from 'node:tls';

import { toPem, type Certificate } from '@sevenfold/pki';
import { Aedes } from 'aedes';

import type { ServiceContext } from '../service-context.ts';
import { deviceOfClientCertificate } from './device-of-client.ts';
import { limitPackets } from './packet-limit.ts';

/** A message that a device has published. */
export interface DeviceMessage {
  readonly deviceId: string;
  /** `devices/<device id>/…` */
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** What the broker stands on. */
export interface BrokerOptions {
  readonly context: Pick<ServiceContext, 'clock' | 'log'>;
  /** PEM; the chain leaf first. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** The CAs of the one tenant whose devices may connect: all that the broker knows. */
  readonly tenantCas: readonly Certificate[];
  readonly onMessage: (message: DeviceMessage) => void;
  readonly limits?: Partial<BrokerLimits>;
}

/** What the broker does to those who are slow. Times in ms. */
export interface BrokerLimits {
  /** How long a TLS handshake may take, and after it the first packet of MQTT. */
  readonly handshakeTimeout: number;
  readonly headersTimeout: number;
}

/** An MQTT broker for the devices of one tenant. */
export interface TenantBroker {
  readonly server: Server;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

const DEFAULT_BROKER_LIMITS: BrokerLimits = { handshakeTimeout: 10_000, headersTimeout: 10_000 };
const MOST_CONNECTIONS = 1000;
const MAX_PAYLOAD = 64 * 1024;
const MAX_TOPIC = 512;
/** A whole packet: payload, topic, and the few bytes around them. */
const MAX_PACKET = MAX_PAYLOAD + MAX_TOPIC + 16;

/**
 * A broker over TLS ≥ 1.2 that knows nothing but the tenant's CA, as any broker or cloud of the tenant's would. Who shows
 * no certificate, one of another tenant, or an update certificate is cut off before a byte of MQTT is read. A device
 * publishes and subscribes below `devices/<its id>/` alone, takes over no session but its own, and leaves nothing
 * behind when it goes. The caller lets `server` listen.
 */
export async function createTenantBroker(options: BrokerOptions): Promise<TenantBroker> {
  const { context, tls, tenantCas } = options;
  const limits = { ...DEFAULT_BROKER_LIMITS, ...options.limits };
  const devices = new WeakMap<object, string>();
  const broker = await Aedes.createBroker({
    connectTimeout: limits.headersTimeout,
    preConnect: (client, packet, done) => {
      // Client ids are one name space for the whole broker: without its own part of it, a device could end the
      // sessions of others by their ids.
      if (packet.clientId !== '') packet.clientId = `${devices.get(client.conn) ?? ''}/${packet.clientId}`;
      // Sessions are not kept (MQTT 3.1.1 §3.2.2.2 tells the client so): queues for the absent would have no end.
      packet.clean = true;
      done(null, true);
    },
    authorizePublish: (client, packet, done) => {
      const refusal = publishRefusal(devices.get(client?.conn ?? {}), packet);
      done(refusal === null ? null : new Error(refusal));
    },
    authorizeSubscribe: (client, subscription, done) => {
      const isOwn = isBelowDevice(devices.get(client.conn), subscription.topic);
      done(null, isOwn ? subscription : null);
    },
  });
  broker.on('publish', (packet, client) => {
    const deviceId = client === null ? undefined : devices.get(client.conn);
    if (deviceId === undefined) return;
    options.onMessage({
      deviceId,
      topic: packet.topic,
      payload: new Uint8Array(Buffer.from(packet.payload)),
    });
  });
  const server = createServer({
    ...tls,
    minVersion: 'TLSv1.2',
    requestCert: true,
    // The tenant CA is no root, and Node's `tls.Server` (26.10) drops the `allowPartialTrustChain` that would make
    // OpenSSL accept it as an anchor. Node judges after the handshake, too, so our own path validation does it there.
    rejectUnauthorized: false,
    ca: tenantCas.map((certificate) => toPem('CERTIFICATE', certificate.der)),
    handshakeTimeout: limits.handshakeTimeout,
  });
  server.maxConnections = MOST_CONNECTIONS;
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', (error) => context.log.info({ code: codeOf(error) }, 'a broker connection broke'));
    const deviceId = deviceOfClientCertificate(
      socket.getPeerX509Certificate()?.raw ?? null,
      tenantCas,
      context.clock.now(),
    );
    if (deviceId === null) {
      context.log.warn({}, 'the broker refused a client certificate');
      socket.destroy();
      return;
    }
    limitPackets(socket, MAX_PACKET, () =>
      context.log.warn({ deviceId }, 'a device sent the broker too large a packet'),
    );
    devices.set(socket, deviceId);
    broker.handle(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    context.log.info({ code: codeOf(error) }, 'the broker refused a connection');
    // Node leaves open what has not finished its handshake in time.
    socket.destroy();
  });
  return {
    server,
    async close() {
      await new Promise<void>((resolve) => broker.close(resolve));
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

interface Publication {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly retain: boolean;
}

/** Why the device may not publish this, or null. Nothing is retained: a broker that keeps nothing cannot be filled. */
function publishRefusal(deviceId: string | undefined, packet: Publication): string | null {
  if (!isBelowDevice(deviceId, packet.topic)) return 'a device publishes below devices/<its id>/ alone';
  if (packet.retain) return 'messages are not retained';
  return packet.payload.length > MAX_PAYLOAD ? `a message has at most ${MAX_PAYLOAD} bytes` : null;
}

function isBelowDevice(deviceId: string | undefined, topic: string): boolean {
  return deviceId !== undefined && topic.length <= MAX_TOPIC && topic.startsWith(`devices/${deviceId}/`);
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';

import {
  DEVICE_CONTENT_TYPES,
  decodeDeviceProblem,
  EXPORTER_LABEL,
  type DeviceProblem,
} from '@sevenfold/formats';
import { toPem } from '@sevenfold/pki';

/** A certificate with its key, as a TLS client shows it. */
export interface ClientIdentity {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly pkcs8: Uint8Array;
}

/** What the service answered. */
export interface DeviceResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** One TLS connection of a device to the service, with Node's own TLS and HTTP. */
export class DeviceConnection {
  readonly socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.socket = socket;
  }

  exporter(): Uint8Array {
    return new Uint8Array(this.socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0)));
  }

  async request(
    method: string,
    path: string,
    body: Uint8Array | null = null,
    headers: Record<string, string> = {},
  ): Promise<DeviceResponse> {
    const withType = body === null ? headers : { 'content-type': DEVICE_CONTENT_TYPES.cbor, ...headers };
    const outgoing = httpRequest({
      createConnection: () => this.socket,
      host: 'localhost',
      method,
      path,
      headers: { connection: 'keep-alive', ...withType },
    });
    outgoing.end(body ?? undefined);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    return {
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      body: new Uint8Array(Buffer.concat(chunks)),
    };
  }

  async post(path: string, body: Uint8Array): Promise<DeviceResponse> {
    return this.request('POST', path, body);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Connects; resolves when TLS is up. */
export async function connectDevice(
  port: number,
  rootPem: string,
  identity: ClientIdentity | null = null,
): Promise<DeviceConnection> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: rootPem,
    ...(identity === null
      ? {}
      : { cert: toPem('CERTIFICATE', ...identity.chain), key: toPem('PRIVATE KEY', identity.pkcs8) }),
  });
  await once(socket, 'secureConnect');
  return new DeviceConnection(socket);
}

/** The typed refusal of a response. */
export function problemIn(response: DeviceResponse): DeviceProblem & { readonly status: number } {
  if (response.headers['content-type'] !== DEVICE_CONTENT_TYPES.problem) {
    throw new Error(`${response.status} ${response.headers['content-type'] ?? ''} is no problem`);
  }
  return { status: response.status, ...decodeDeviceProblem(response.body) };
}

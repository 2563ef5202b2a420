import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import {
  attestationChallengeInput,
  decodeAttestReply,
  decodeDeviceProblem,
  DEVICE_CONTENT_TYPES,
  DEVICE_PATHS,
  encodeAttestRequest,
  encodePsaClaims,
  encodeSign1,
  EXPORTER_LABEL,
  fromHex,
  PSA_PROFILES,
  toHex,
  type AttestReply,
  type AttestRequest,
  type DeviceProblem,
  type PsaClaims,
} from '@sevenfold/formats';
import { generateKeyPair, sha256, signWithPkcs8, spkiSha256, toPem, type KeyPair } from '@sevenfold/pki';

/** Where a device finds the service, and what it believes it by. */
interface DevicePort {
  readonly devicePort: number;
  readonly tlsRootPem: string;
}

/** One stage as it is measured; digest and signer in hex. */
export interface Measured {
  readonly imageType: string;
  readonly name: string;
  readonly digest: string;
  readonly signerId: string;
}

/** A certificate chain (DER, leaf first) with its key, as a TLS client shows it. */
export interface Identity {
  readonly chain: readonly Uint8Array[];
  readonly pkcs8: Uint8Array;
}

/** What an attestation is to get wrong. */
export interface AttestChange {
  readonly claims?: Partial<PsaClaims>;
  readonly request?: (request: AttestRequest) => AttestRequest;
  /** Signs the token in place of the device's own key. */
  readonly signer?: KeyPair;
  readonly nonce?: Uint8Array;
}

/** What the service answered. */
export interface DeviceAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** One TLS connection to the device port, by Node's own TLS and HTTP. */
export class DeviceConnection implements Disposable {
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  exporter(): Uint8Array {
    return new Uint8Array(this.#socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0)));
  }

  async send(
    method: string,
    path: string,
    body: Uint8Array | null = null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<DeviceAnswer> {
    const type = body === null ? {} : { 'content-type': DEVICE_CONTENT_TYPES.cbor };
    const outgoing = httpRequest({
      createConnection: () => this.#socket,
      host: 'localhost',
      method,
      path,
      headers: { connection: 'keep-alive', ...type, ...headers },
    });
    outgoing.end(body ?? undefined);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { statusCode = 0, headers: answered } = incoming;
    return { status: statusCode, headers: answered, body: new Uint8Array(Buffer.concat(chunks)) };
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** Connects to the device port, with or without a client certificate. */
export async function connectDevice(
  { devicePort, tlsRootPem }: DevicePort,
  identity: Identity | null = null,
): Promise<DeviceConnection> {
  const socket = connect({
    port: devicePort,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: tlsRootPem,
    ...(identity === null
      ? {}
      : { cert: toPem('CERTIFICATE', ...identity.chain), key: toPem('PRIVATE KEY', identity.pkcs8) }),
  });
  await once(socket, 'secureConnect');
  return new DeviceConnection(socket);
}

/** The typed refusal of an answer; anything else fails the test. */
export function refusalIn({
  status,
  headers,
  body,
}: DeviceAnswer): DeviceProblem & { readonly status: number } {
  if (headers['content-type'] !== DEVICE_CONTENT_TYPES.problem) {
    throw new Error(`${status} ${headers['content-type'] ?? ''} is no typed refusal`);
  }
  return { status, ...decodeDeviceProblem(body) };
}

/** A genuine chip in the wrong hands: it says what it is told to. */
export class HostileDevice {
  readonly #port: DevicePort;
  readonly #measured: readonly Measured[];
  readonly identity: KeyPair;
  readonly deviceId: string;
  #certified: { readonly client: Identity | null; readonly update: Identity } | null = null;

  constructor(port: DevicePort, identity: KeyPair, measured: readonly Measured[]) {
    this.#port = port;
    this.#measured = measured;
    this.identity = identity;
    this.deviceId = toHex(spkiSha256(identity.spki));
  }

  /** What its last attestation earned. */
  get client(): Identity {
    if (this.#certified?.client == null) throw new Error('the device has no client certificate');
    return this.#certified.client;
  }
  get update(): Identity {
    if (this.#certified === null) throw new Error('the device has no update certificate');
    return this.#certified.update;
  }

  token(challenge: Uint8Array, { claims = {}, signer = this.identity }: AttestChange = {}): Uint8Array {
    const payload = encodePsaClaims({
      profile: PSA_PROFILES[0],
      nonce: challenge,
      instanceId: Uint8Array.of(1, ...fromHex(this.deviceId)),
      implementationId: new Uint8Array(32),
      clientId: 1,
      securityLifecycle: 0x3000,
      softwareComponents: this.#measured.map(({ imageType, name, digest, signerId }) => ({
        measurementType: imageType,
        measurementValue: fromHex(digest),
        version: `${name};sv=1`,
        signerId: fromHex(signerId),
      })),
      ...claims,
    });
    const message = encodeSign1({ algorithm: 'ES256', payload });
    return message.finish(signWithPkcs8(signer.pkcs8, message.toBeSigned));
  }

  /** A whole request for `binder` – an exporter value or a nonce – right in all that `change` leaves alone. */
  attestation(
    binder: Uint8Array,
    change: AttestChange = {},
  ): { readonly request: Uint8Array; readonly client: KeyPair; readonly update: KeyPair } {
    const [client, update] = [generateKeyPair(), generateKeyPair()];
    const input = attestationChallengeInput(binder, spkiSha256(client.spki), spkiSha256(update.spki));
    const challenge = sha256(input);
    const prove = ({ spki, pkcs8 }: KeyPair) => ({ spki, proof: signWithPkcs8(pkcs8, challenge) });
    const request: AttestRequest = {
      token: this.token(challenge, change),
      clientKey: prove(client),
      updateKey: prove(update),
      ...(change.nonce === undefined ? {} : { nonce: change.nonce }),
    };
    return { request: encodeAttestRequest(change.request?.(request) ?? request), client, update };
  }

  /** Attests over a connection of its own. */
  async attest(change: AttestChange = {}): Promise<DeviceAnswer> {
    using connection = await connectDevice(this.#port);
    const { request } = this.attestation(change.nonce ?? connection.exporter(), change);
    return await connection.send('POST', DEVICE_PATHS.attest, request);
  }

  /** Attests as it should, and keeps the certificates. */
  async certify(): Promise<AttestReply> {
    using connection = await connectDevice(this.#port);
    const { request, client, update } = this.attestation(connection.exporter());
    const answer = await connection.send('POST', DEVICE_PATHS.attest, request);
    if (answer.status !== 200) throw new Error(`attesting failed: ${JSON.stringify(refusalIn(answer))}`);
    const reply = decodeAttestReply(answer.body);
    this.#certified = {
      client: reply.clientChain === null ? null : { chain: reply.clientChain, pkcs8: client.pkcs8 },
      update: { chain: reply.updateChain, pkcs8: update.pkcs8 },
    };
    return reply;
  }

  /** One request over a connection with the update certificate, or what is shown in its place. */
  async send(
    method: string,
    path: string,
    body: Uint8Array | null = null,
    identity: Identity | null = this.update,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<DeviceAnswer> {
    using connection = await connectDevice(this.#port, identity);
    return await connection.send(method, path, body, headers);
  }
}

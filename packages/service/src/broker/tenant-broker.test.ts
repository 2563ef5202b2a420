import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

import { generateKeyPair, toPem, PublicKey } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  issueClientCertificate,
  issueUpdateCertificate,
  type IssuedCertificate,
} from '../certificates/device-certificates.ts';
import { makeServerIdentity } from '../certificates/server-identity.ts';
import { openDeviceWorld, type DeviceWorld } from '../device-port/testing/device-world.fixture.ts';
import { createTenantBroker, type DeviceMessage, type TenantBroker } from './tenant-broker.ts';

const DEVICE = '5e'.repeat(32);
const OTHER_TENANT = '7e7e0000-0000-4000-8000-000000000002';

let world: DeviceWorld;
let broker: TenantBroker;
let port: number;
const messages: DeviceMessage[] = [];
let onArrival: () => void = () => {};
beforeAll(async () => {
  world = await openDeviceWorld();
  const { service, authorities, tenantId } = world;
  const tls = await makeServerIdentity({ ...service, authorities }, ['localhost']);
  const tenantCas = (await authorities.valid('tenantCa', tenantId)).map((one) => one.certificate);
  broker = await createTenantBroker({
    context: service,
    tls: { key: tls.keyPem, cert: tls.certificatePem },
    tenantCas,
    onMessage: (message) => {
      messages.push(message);
      onArrival();
    },
  });
  broker.server.listen(0, '127.0.0.1');
  await once(broker.server, 'listening');
  // A listening TCP server has a port.
  ({ port } = broker.server.address() as AddressInfo);
});
afterAll(async () => {
  await broker.close();
  await world.close();
});

/** MQTT 3.1.1 by hand: what goes over the wire, and nothing else. */
const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 0xff]), Buffer.from(value)]);
const packet = (type: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  if (body.length > 16_383) throw new Error('too long for a test');
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  return Buffer.concat([Buffer.from([type, ...length]), body]);
};
const connectPacket = (clientId: string, flags = 2): Buffer =>
  packet(0x10, text('MQTT'), Buffer.from([4, flags, 0, 60]), text(clientId));
const CONNECT = connectPacket('client');
const publish = (topic: string, payload: string, flags = 0x02): Buffer =>
  packet(0x30 | flags, text(topic), Buffer.from([0, 1]), Buffer.from(payload));
const subscribe = (topic: string): Buffer => packet(0x82, Buffer.from([0, 2]), text(topic), Buffer.from([0]));

type Shown = { readonly issued: IssuedCertificate; readonly pkcs8: Uint8Array } | null;

async function certificateOf(
  kind: 'client' | 'update',
  tenantId: string,
  verdict: 'trusted' | 'outdated' = 'trusted',
  deviceId = DEVICE,
): Promise<Shown> {
  const { spki, pkcs8 } = generateKeyPair();
  const context = { ...world.service, authorities: world.authorities };
  const attestation = { verdict, release: null, evidenceDigest: new Uint8Array(32) };
  const subject = { deviceId, publicKey: PublicKey.require(spki, 'publicKey', ['P-256']), attestation };
  const issued =
    kind === 'client'
      ? await issueClientCertificate(context, tenantId, subject)
      : await issueUpdateCertificate(context, subject);
  return { issued, pkcs8 };
}

function open(shown: Shown, version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): TLSSocket {
  return connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: world.rootPem,
    minVersion: version,
    maxVersion: version,
    ...(shown === null
      ? {}
      : { cert: toPem('CERTIFICATE', ...shown.issued.chain), key: toPem('PRIVATE KEY', shown.pkcs8) }),
  });
}

/** Type and body of the broker's first packet, or what ended the connection. */
async function outcome(shown: Shown, version?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string> {
  const socket = open(shown, version);
  socket.on('secureConnect', () => socket.write(CONNECT));
  const result = await new Promise<string>((resolve) => {
    socket.once('data', (data: Buffer) =>
      resolve(data[0] === 0x20 && data[3] === 0 ? 'connected' : 'refused by MQTT'),
    );
    socket.once('error', (error: Error & { code?: string }) =>
      resolve(`refused: ${error.code ?? error.message}`),
    );
    socket.once('close', () => resolve('closed'));
  });
  socket.destroy();
  return result;
}

async function session(deviceId = DEVICE, connecting = CONNECT): Promise<TLSSocket> {
  const socket = open(await certificateOf('client', world.tenantId, 'trusted', deviceId));
  await once(socket, 'secureConnect');
  socket.write(connecting);
  await once(socket, 'data');
  return socket;
}

/** No answer, no reason: the connection ends. */
const REFUSED = /^(?:closed|refused: ECONNRESET)$/u;

describe('the tenant’s broker', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('lets the tenant’s devices in with %s', async (version) => {
    expect(await outcome(await certificateOf('client', world.tenantId), version)).toBe('connected');
  });

  it('refuses who shows no certificate', async () => {
    expect(await outcome(null)).toMatch(REFUSED);
  });

  it('refuses a device of another tenant', async () => {
    expect(await outcome(await certificateOf('client', OTHER_TENANT))).toMatch(REFUSED);
  });

  it('refuses an update certificate of its own tenant’s device', async () => {
    expect(await outcome(await certificateOf('update', world.tenantId))).toMatch(REFUSED);
  });

  it('refuses a device of its own tenant that was not trusted, or whose day is over', async () => {
    expect(await outcome(await certificateOf('client', world.tenantId, 'outdated'))).toMatch(REFUSED);
    const shown = await certificateOf('client', world.tenantId);
    world.service.clock.advance(24 * 3_600_000 + 1000);
    expect(await outcome(shown)).toMatch(REFUSED);
    world.service.clock.advance(-24 * 3_600_000 - 1000);
    expect(await outcome(shown)).toBe('connected');
  });

  it('refuses TLS 1.1', async () => {
    expect(await outcome(await certificateOf('client', world.tenantId), 'TLSv1.1')).toMatch(
      /refused: .*(?:PROTOCOL|VERSION|CIPHER)/u,
    );
  });

  it('takes what a device says under its own name', async () => {
    const socket = await session();
    const arrived = new Promise<void>((resolve) => {
      onArrival = resolve;
    });
    socket.write(publish(`devices/${DEVICE}/telemetry`, '{"blinks":7}'));
    const [acknowledged] = (await once(socket, 'data')) as [Buffer];
    await arrived;
    expect(acknowledged[0]).toBe(0x40);
    expect(messages.at(-1)).toEqual({
      deviceId: DEVICE,
      topic: `devices/${DEVICE}/telemetry`,
      payload: new Uint8Array(Buffer.from('{"blinks":7}')),
    });
    socket.destroy();
  });

  it.each([
    ['another device’s name', publish(`devices/${'00'.repeat(32)}/telemetry`, 'x')],
    ['no device’s name', publish('telemetry', 'x')],
    ['its name with more behind it', publish(`devices/${DEVICE}x/telemetry`, 'x')],
    ['its own name, to be kept', publish(`devices/${DEVICE}/telemetry`, 'x', 0x03)],
  ])('hangs up on a device that speaks under %s', async (_what, bytes) => {
    const before = messages.length;
    const socket = await session();
    socket.write(bytes);
    await once(socket, 'close');
    expect(messages).toHaveLength(before);
  });

  it('lets a device listen under its own name alone', async () => {
    const socket = await session();
    const listen = async (topic: string): Promise<number | undefined> => {
      socket.write(subscribe(topic));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer.at(-1);
    };
    expect(await listen(`devices/${DEVICE}/commands`)).toBe(0);
    // 0x80: failure (MQTT 3.1.1 §3.9.3).
    for (const topic of ['#', 'devices/+/telemetry', `devices/${'00'.repeat(32)}/#`, '$SYS/#']) {
      expect([topic, await listen(topic)]).toEqual([topic, 0x80]);
    }
    socket.destroy();
  });

  it('does not let one device end the session of another by its client id', async () => {
    const victim = await session();
    const other = await session('6f'.repeat(32));
    victim.write(Buffer.from([0xc0, 0]));
    const [pong] = (await once(victim, 'data')) as [Buffer];
    expect(pong[0]).toBe(0xd0);
    // Its own it may take over, as a device does that lost its connection (MQTT 3.1.1 §3.1.4).
    const ended = once(victim, 'close');
    const again = await session();
    await ended;
    again.destroy();
    other.destroy();
  });

  it('keeps no session for a device that is away, whatever it asks for', async () => {
    const lasting = connectPacket('lasting', 0);
    const first = await session(DEVICE, lasting);
    first.write(subscribe(`devices/${DEVICE}/commands`));
    await once(first, 'data');
    first.destroy();
    await once(first, 'close');
    const socket = open(await certificateOf('client', world.tenantId));
    await once(socket, 'secureConnect');
    socket.write(lasting);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    // CONNACK: session present 0, accepted.
    expect([...answer]).toEqual([0x20, 2, 0, 0]);
    socket.destroy();
  });

  it('hangs up at the head of a packet that would fill its memory', async () => {
    const socket = await session();
    // PUBLISH of 200 MiB: type, then the length in four bytes of seven bits.
    socket.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]));
    await once(socket, 'close');
    const large = await session();
    const topic = text(`devices/${DEVICE}/telemetry`);
    const body = Buffer.concat([topic, Buffer.alloc(64 * 1024)]);
    large.write(
      Buffer.concat([
        Buffer.from([
          0x30,
          (body.length & 0x7f) | 0x80,
          ((body.length >> 7) & 0x7f) | 0x80,
          body.length >> 14,
        ]),
        body,
      ]),
    );
    large.write(Buffer.from([0xc0, 0]));
    const [pong] = (await once(large, 'data')) as [Buffer];
    expect(pong[0]).toBe(0xd0);
    large.destroy();
  });
});

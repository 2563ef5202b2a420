import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPrivateNetwork, startApp, type PrivateNetwork } from 'sevenfold/test';

const folder = join(import.meta.dirname, '..');
const SERVICE = '_sample-service._tcp.local';
const INSTANCE = `lamp.${SERVICE}`;
const HOST = 'lamp.local';
const TYPE = { a: 1, pointer: 12, text: 16, service: 33 };

const name = (text: string): Buffer =>
  Buffer.concat([
    ...text.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])),
    Buffer.of(0),
  ]);
const record = (of: string, type: number, data: Uint8Array): Buffer =>
  Buffer.concat([name(of), Buffer.of(0, type, 0, 1, 0, 0, 0, 120, 0, data.length), data]);
const answer = (...records: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.of(0, 0, 0x84, 0, 0, 0, 0, records.length, 0, 0, 0, 0), ...records]);

/** What a responder (RFC 6763) says of itself, by the type that is asked for. */
function recordsFor(type: number, address: string): Buffer {
  if (type === TYPE.pointer) return answer(record(SERVICE, TYPE.pointer, name(INSTANCE)));
  if (type === TYPE.a) return answer(record(HOST, TYPE.a, Buffer.from(address.split('.').map(Number))));
  const port = Buffer.of(0, 0, 0, 0, 9000 >> 8, 9000 & 255);
  return answer(
    record(INSTANCE, TYPE.service, Buffer.concat([port, name(HOST)])),
    record(INSTANCE, TYPE.text, Buffer.from('\u0008room=den')),
  );
}

/** A DHCP server (RFC 2131) that gives 192.168.100.11 to whoever asks. */
function serveAddress(network: PrivateNetwork): void {
  const plug = network.plug('192.168.100.1');
  plug.bind(67, ({ bytes }) => {
    const reply = Buffer.alloc(300);
    reply.set(bytes.subarray(0, 240));
    reply[0] = 2;
    reply.set([192, 168, 100, 11], 16);
    reply.set([53, 1, bytes[242] === 1 ? 2 : 5, 54, 4, 192, 168, 100, 1], 240);
    reply.set([1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16, 255], 249);
    plug.send(67, { address: '255.255.255.255', port: 68 }, reply);
  });
}

/** Offers the service at `plugged`, and says that it is at `said`. */
function offer(network: PrivateNetwork, plugged: string, said: string): { readonly greeted: () => number } {
  const plug = network.plug(plugged);
  let greeted = 0;
  plug.bind(5353, ({ from, bytes }) => {
    const type = bytes[bytes.length - 3] ?? 0;
    plug.send(5353, from, recordsFor(type, said));
  });
  plug.listen(9000, (stream) => {
    greeted += 1;
    stream.on('error', () => {});
    stream.end('good day');
  });
  return { greeted: () => greeted };
}

test('finds the service, asks where it is, and reads its greeting', async () => {
  const network = createPrivateNetwork();
  serveAddress(network);
  const lamp = offer(network, '192.168.100.32', '192.168.100.32');
  await using app = await startApp({ folder, privateNetwork: network });
  await app.log.waitFor(/^text room=den$/);
  await app.log.waitFor(/^found lamp\.local at 192\.168\.100\.32:9000$/);
  await app.log.waitFor(/^it says good day$/);
  assert.equal(lamp.greeted(), 1);
});

test('is not led to a neighbour who offers nothing', async () => {
  const network = createPrivateNetwork();
  serveAddress(network);
  offer(network, '192.168.100.32', '192.168.100.33');
  const neighbour = network.plug('192.168.100.33');
  let visits = 0;
  neighbour.listen(9000, () => (visits += 1));
  await using app = await startApp({ folder, privateNetwork: network });
  await app.log.waitFor(/^cannot reach 192\.168\.100\.33: Permission denied$/);
  assert.equal(visits, 0);
});

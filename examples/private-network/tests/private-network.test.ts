import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPrivateNetwork, startApp, type WirePlug } from 'sevenfold/test';

test('serves whoever connects', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/listening on 11000/);
  const client = connect(11000, '127.0.0.1');
  await once(client, 'connect');
  client.write('hello\n');
  const answered = once(client, 'data');
  for (let step = 0; step < 50 && client.bytesRead === 0; step += 1) {
    await app.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(String((await answered)[0]), 'HELLO\n');
  client.destroy();
});

/** Seconds from 1900 to 1970. */
const EPOCH = 2_208_988_800;

/** A client that has no address yet asks for one (RFC 2131): gives the answer to a message of this type. */
async function askForAddress(plug: WirePlug, type: number, advance: () => Promise<void>): Promise<Buffer> {
  const question = Buffer.alloc(300);
  question.set([1, 1, 6, 0, 0, 0, 0, 42]);
  question.set([2, 0, 0, 0, 0, 7], 28);
  question.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, 255], 236);
  if (type === 3) question.set([50, 4, 192, 168, 100, 11, 255], 243);
  let answer = Buffer.alloc(0);
  plug.bind(68, ({ bytes }) => {
    answer = Buffer.from(bytes);
  });
  plug.send(68, { address: '255.255.255.255', port: 67 }, question);
  await advance();
  plug.unbind(68);
  return answer;
}

test('gives its neighbour an address and the time, and goes on when the app has ended', async () => {
  const network = createPrivateNetwork();
  await using app = await startApp({ folder: join(import.meta.dirname, '..'), privateNetwork: network });
  await app.log.waitFor(/listening on 11000/);
  const plug = network.plug();
  // What is on the wire needs turns of the event loop, and no time.
  const advance = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await app.clock.advance(10);
  };
  const offer = await askForAddress(plug, 1, advance);
  // The offer (53, 1, 2) and the address in it.
  assert.deepEqual([...offer.subarray(240, 243)], [53, 1, 2]);
  assert.deepEqual([...offer.subarray(16, 20)], [192, 168, 100, 11]);
  const lease = await askForAddress(plug, 3, advance);
  assert.deepEqual([...lease.subarray(240, 243)], [53, 1, 5]);
  plug.address = '192.168.100.11';
  let time = Buffer.alloc(0);
  plug.bind(5000, ({ bytes }) => {
    time = Buffer.from(bytes);
  });
  plug.send(
    5000,
    { address: '192.168.100.10', port: 123 },
    Buffer.concat([Buffer.of(0x23), Buffer.alloc(47)]),
  );
  await advance();
  assert.equal(
    new Date((time.readUInt32BE(40) - EPOCH) * 1000).toISOString().slice(0, 16),
    '2027-01-01T00:00',
  );
  const stream = plug.connect({ address: '192.168.100.10', port: 11_000 });
  const heard: string[] = [];
  stream.on('data', (chunk) => heard.push(String(chunk)));
  stream.write('hello\n');
  for (let step = 0; step < 50 && heard.length === 0; step += 1) await advance();
  assert.deepEqual(heard, ['HELLO\n']);
  assert.match(await app.log.waitFor(/^client from/), /192\.168\.100\.11/);
  stream.destroy();
});

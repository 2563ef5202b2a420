import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPrivateNetwork, startApp, type PrivateNetwork } from 'sevenfold/test';

const folder = join(import.meta.dirname, '..');
const hosts = { 'first.example': '127.0.0.21', 'second.example': '127.0.0.22' };
/** Seconds from 1900 to 1970. */
const EPOCH = 2_208_988_800;

/** A time server (RFC 4330) that says this time. */
function serveTime(network: PrivateNetwork, address: string, time: number): void {
  const plug = network.plug(address);
  plug.bind(123, ({ from, bytes }) => {
    const answer = Buffer.alloc(48);
    answer.set([0x24, 1]);
    answer.set(bytes.subarray(40, 48), 24);
    answer.writeUInt32BE(time / 1000 + EPOCH, 40);
    plug.send(123, from, answer);
  });
}

test('takes the time from the first server that answers', async () => {
  const network = createPrivateNetwork();
  serveAddress(network);
  serveTime(network, '192.168.100.22', Date.UTC(2027, 5, 1, 12));
  await using app = await startApp({
    folder,
    privateNetwork: network,
    hosts: { 'first.example': '192.168.100.21', 'second.example': '192.168.100.22' },
  });
  await app.log.waitFor(/^server second\.example$/);
  assert.match(await app.log.waitFor(/^adjusted/), /^adjusted 2027-06-01 12:0/);
  assert.match(await app.log.waitFor(/^before/), /^before 2027-01-01 00:0/);
});

test('has no time where nobody answers', async () => {
  await using app = await startApp({ folder, privateNetwork: createPrivateNetwork(), hosts });
  await app.clock.advance(30_000);
  assert.match(await app.log.waitFor(/^not synchronised/), /No such file/);
  assert.equal((await app.state()).state, 'running');
});

/** A DHCP server (RFC 2131) that gives 192.168.100.11 to whoever asks. */
function serveAddress(network: PrivateNetwork): void {
  const plug = network.plug('192.168.100.1');
  plug.bind(67, ({ bytes }) => {
    const answer = Buffer.alloc(300);
    answer.set(bytes.subarray(0, 240));
    answer[0] = 2;
    answer.set([192, 168, 100, 11], 16);
    const isDiscover = bytes[242] === 1;
    answer.set([53, 1, isDiscover ? 2 : 5, 54, 4, 192, 168, 100, 1], 240);
    answer.set([1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16, 255], 249);
    plug.send(67, { address: '255.255.255.255', port: 68 }, answer);
  });
}

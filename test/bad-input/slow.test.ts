import { connect } from 'node:net';
import { DEVICE_PATHS } from '@sevenfold/formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerTo, codeIn, readAll } from './raw-client.ts';
import { openWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  // Slowness is to show soon; a handshake is nothing slow, on a busy machine neither.
  world = await openWorld({
    handshakeTimeout: 2000,
    headersTimeout: 600,
    requestTimeout: 1000,
    connectionTimeout: 6000,
  });
});
afterAll(() => world.close());

const bytesOf = (text: string): readonly string[] => Array.from(text);
const SLOW_HEADERS = ['GET / HTTP/1.1\r\nhost: x\r\n', ...bytesOf('x-slow: '.padEnd(200, 'y'))];

describe('who is slow is answered and let go:', () => {
  const slow = { status: 408, code: 'RequestTimeout' };

  it('headers that trickle, at both HTTP ports', async () => {
    const { peoplePort, devicePort } = world.service;
    const answers = await Promise.all(
      [peoplePort, devicePort].map((port) => answerTo(world.service, port, SLOW_HEADERS)),
    );
    expect(answers.map(codeIn)).toEqual([slow, slow]);
  });

  it('bodies that trickle, at both HTTP ports', async () => {
    const head = (path: string, type: string): string =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 500\r\n\r\n`;
    const body = bytesOf('{'.repeat(400));
    const { peoplePort, devicePort } = world.service;
    const answers = await Promise.all([
      answerTo(world.service, peoplePort, [head('/v1/access/enrol', 'application/json'), ...body]),
      answerTo(world.service, devicePort, [head(DEVICE_PATHS.attest, 'application/cbor'), ...body]),
    ]);
    expect(answers.map(codeIn)).toEqual([slow, slow]);
  });

  it('silence, before TLS and after it, at all three ports', async () => {
    const { peoplePort, devicePort, brokerPort } = world.service;
    const silent = [peoplePort, devicePort, brokerPort].map((port) =>
      readAll(connect({ port, host: '127.0.0.1' }), []),
    );
    // No TLS, so nobody to say anything to; the connection ends.
    for (const answer of await Promise.all(silent)) expect(answer.includes('HTTP')).toBe(false);
    const [people, devices, broker] = await Promise.all([
      answerTo(world.service, peoplePort, []),
      answerTo(world.service, devicePort, []),
      answerTo(world.service, brokerPort, [], world.own.device.client),
    ]);
    expect([people, devices].map((answer) => (answer.length === 0 ? slow : codeIn(answer)))).toEqual([
      slow,
      slow,
    ]);
    expect(broker.length).toBe(0);
  });

  it('an MQTT connection that trickles its first packet', async () => {
    const connect = Buffer.from('102200044d5154540402003c0016', 'hex');
    const parts = Array.from(connect, (byte) => Uint8Array.of(byte));
    const answer = await answerTo(world.service, world.service.brokerPort, parts, world.own.device.client);
    expect(answer.length).toBe(0);
  });
});

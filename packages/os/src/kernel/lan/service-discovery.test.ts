import { utf8Encode, viewOf } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { TestClock } from '../testing/test-clock.ts';
import { DNS_TYPE, readDns } from './dns-message.ts';
import { serviceNames, ServiceDiscovery } from './service-discovery.ts';
import { dnsMessage, nameBytes, type TestRecord } from '../testing/dns.fixture.ts';

const SERVICE = '_sample-service._tcp.local';
const INSTANCE = `printer.${SERVICE}`;
const HOST = 'printer.local';
const ADDRESS = 0xc0a86420;
const OTHER = 0xc0a86421;

const question = (...names: readonly string[]): Uint8Array =>
  dnsMessage({ questions: names.map((name) => ({ name, type: DNS_TYPE.pointer })) });
const pointer: TestRecord = { name: SERVICE, type: DNS_TYPE.pointer, target: INSTANCE };
const service: TestRecord = { name: INSTANCE, type: DNS_TYPE.service, target: HOST };
const address: TestRecord = { name: HOST, type: DNS_TYPE.a, address: ADDRESS };
const answer = (answers: readonly TestRecord[], more: readonly TestRecord[] = []): Uint8Array =>
  dnsMessage({ isAnswer: true, answers, more });

const begin = (): { clock: TestClock; discovery: ServiceDiscovery } => {
  const clock = new TestClock();
  return { clock, discovery: new ServiceDiscovery([SERVICE], clock) };
};

describe('an app that asks everybody', () => {
  it('asks about the services of its manifest', () => {
    const { discovery } = begin();
    expect(discovery.mayAsk(question(SERVICE))).toBe(true);
    expect(discovery.mayAsk(question(SERVICE.toUpperCase(), INSTANCE))).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ['another service', question('_ssh._tcp.local')],
    ['another service beside its own', question(SERVICE, '_ssh._tcp.local')],
    ['a name that only ends alike', question(`x${SERVICE}`)],
    ['a name below whose end is its own', question(`${SERVICE}.evil.local`)],
    ['a host that nobody named', question(HOST)],
    ['nothing', dnsMessage({})],
    ['with an announcement of its own', dnsMessage({ questions: [pointer], answers: [pointer] })],
    ['with a record added', dnsMessage({ questions: [pointer], more: [address] })],
    ['an answer', answer([pointer])],
    ['bytes that are no message', utf8Encode('secret')],
    ['a question with something behind it', Uint8Array.of(...question(SERVICE), 1)],
    ['a dot inside of a label', question('evil').with(13, 0x2e)],
  ])('does not ask %s', (_what, bytes) => {
    expect(begin().discovery.mayAsk(bytes)).toBe(false);
  });
});

describe('an answer', () => {
  it('opens the way to the host that sent it, for as long as it says', async () => {
    const { clock, discovery } = begin();
    expect(discovery.reaches(ADDRESS)).toBe(false);
    expect(discovery.learn(ADDRESS, answer([pointer], [service, { ...address, ttl: 120 }]))).toBe(true);
    expect(discovery.reaches(ADDRESS)).toBe(true);
    expect(discovery.reaches(OTHER)).toBe(false);
    await clock.advance(119_000);
    expect(discovery.reaches(ADDRESS)).toBe(true);
    await clock.advance(2000);
    expect(discovery.reaches(ADDRESS)).toBe(false);
  });

  it('may come in parts, and the host be asked for', () => {
    const { discovery } = begin();
    expect(discovery.learn(ADDRESS, answer([service]))).toBe(true);
    expect(discovery.reaches(ADDRESS)).toBe(false);
    expect(discovery.mayAsk(dnsMessage({ questions: [{ name: HOST, type: DNS_TYPE.a }] }))).toBe(true);
    expect(discovery.learn(ADDRESS, answer([address]))).toBe(true);
    expect(discovery.reaches(ADDRESS)).toBe(true);
  });

  it('takes its leave with a lifetime of nothing', () => {
    const { discovery } = begin();
    discovery.learn(ADDRESS, answer([pointer], [service, address]));
    discovery.learn(ADDRESS, answer([{ ...address, ttl: 0 }]));
    expect(discovery.reaches(ADDRESS)).toBe(false);
  });

  it.each<[string, Uint8Array]>([
    ['of another service', answer([{ ...pointer, name: '_ssh._tcp.local' }])],
    ['whose pointer leads to another service', answer([{ ...pointer, target: 'x._ssh._tcp.local' }])],
    ['about a host that no service named', answer([{ ...address, name: 'router.local' }])],
    [
      'with a record about somebody else',
      answer([pointer], [service, address, { ...address, name: 'a.local' }]),
    ],
    ['that is a question', question(SERVICE)],
    ['that says nothing', answer([])],
  ])('%s counts for nothing', (_what, bytes) => {
    const { discovery } = begin();
    expect(discovery.learn(ADDRESS, bytes)).toBe(false);
    expect(discovery.reaches(ADDRESS) || discovery.reaches(OTHER) || discovery.reaches(0x08080808)).toBe(
      false,
    );
  });

  it.each<[string, Uint8Array]>([
    ['that names somebody else’s address', answer([pointer], [service, { ...address, address: OTHER }])],
    ['that names the world', answer([pointer], [service, address, { ...address, address: 0x08080808 }])],
  ])('%s opens no way there', (_what, bytes) => {
    const { discovery } = begin();
    discovery.learn(ADDRESS, bytes);
    expect(discovery.reaches(OTHER) || discovery.reaches(0x08080808)).toBe(false);
  });

  it('makes the OS remember a few hosts, and no more', () => {
    const { discovery } = begin();
    for (let count = 0; count < 100; count += 1) {
      const name = `h${count}.local`;
      discovery.learn(
        ADDRESS + count,
        answer([{ ...service, target: name }], [{ ...address, name, address: ADDRESS + count }]),
      );
    }
    const known = Array.from({ length: 100 }, (_, count) => discovery.reaches(ADDRESS + count)).filter(
      Boolean,
    );
    expect(known).toHaveLength(16);
  });
});

describe('a message', () => {
  it('that points at itself, or forwards, ends nothing', () => {
    for (const to of [12, 14, 16, 0x3fff]) {
      const bytes = question('ab').slice();
      bytes.set([0xc0 | (to >> 8), to & 0xff], 12);
      expect(readDns(bytes)).toBeNull();
    }
  });

  it('with every length of it cut, and every byte turned, is read or refused', () => {
    const whole = answer([pointer], [service, address]);
    expect(readDns(whole)).not.toBeNull();
    for (let length = 0; length < whole.length; length += 1)
      expect(readDns(whole.slice(0, length))).toBeNull();
    for (let at = 0; at < whole.length; at += 1)
      for (const bit of [1, 0x80, 0xff])
        expect(() => readDns(whole.with(at, (whole[at] ?? 0) ^ bit))).not.toThrow();
  });

  it('with thousands of records, or a name without end, is refused at once', () => {
    const many = question(SERVICE).slice();
    viewOf(many).setUint16(6, 0xffff);
    expect(readDns(many)).toBeNull();
    const long = new Uint8Array(1400).fill(63);
    long.set(many.subarray(0, 12));
    long.set([0, 1, 0, 0], 4);
    expect(readDns(long)).toBeNull();
    expect(nameBytes('a').length).toBe(3);
  });
});

it('a manifest’s services are told from its hosts', () => {
  expect(serviceNames(['cloud.test', SERVICE, '_x.local', '_a._udp.local', 'a._tcp.local'])).toEqual([
    SERVICE,
    '_a._udp.local',
  ]);
});

import { utf8Encode } from '@sevenfold/formats';
import { toPem } from '@sevenfold/pki';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EapServer } from '../../board/eap-tls.ts';
import { Radio } from '../../board/radio.ts';
import { makeAuthorities, makeIdentity, type Identity } from '../../board/testing/identities.fixture.ts';
import { TestClock } from '../testing/test-clock.ts';
import { Certificates } from './certificates.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { Wifi } from './wifi.ts';

/** Judged by OpenSSL as well, which knows the machine's time alone. */
const NOW = Date.now();
const HOUR = 3_600_000;
const CERTIFICATE_ERROR = { notFound: 100, root: 101, client: 102, identity: 103 } as const;
const ATTRIBUTE = { ssid: 0, security: 1, enabled: 2, identity: 6, client: 7, root: 8 } as const;

let root: Identity;
let foreignRoot: Identity;
let server: EapServer;
let lamp: Identity;
let stranger: Identity;

const certificateOf = ({ certificate }: Identity): string => toPem('CERTIFICATE', certificate.der);
const keyOf = ({ key }: Identity): string => toPem('PRIVATE KEY', key.pkcs8);

beforeAll(async () => {
  root = await makeIdentity('root', 'Office root', null, { now: NOW });
  const clients = await makeIdentity('root', 'Office clients', null, { now: NOW });
  foreignRoot = await makeIdentity('root', 'Foreign root', null, { now: NOW });
  const radius = await makeIdentity('tlsServer', 'radius', root, { hostNames: ['radius.example'], now: NOW });
  lamp = await makeIdentity('device', 'lamp-7', clients, { now: NOW });
  stranger = (await makeAuthorities({ now: NOW })).device;
  server = {
    certificate: certificateOf(radius),
    key: keyOf(radius),
    clientRoots: certificateOf(clients),
  };
});

/** What became of a device that joins the office's network as this. */
async function join({
  client,
  key = client,
  trusts = root,
  identity = 'lamp-7',
  now = NOW,
}: {
  readonly client: Identity;
  readonly key?: Identity;
  readonly trusts?: Identity | null;
  readonly identity?: string;
  readonly now?: number;
}): Promise<number> {
  const radio = new Radio(
    [{ ssid: 'office', security: 'wpa2-eap', identities: ['lamp-7'], authentication: server }],
    () => now,
  );
  const certificates = new Certificates();
  const install = (id: string, text: string, secret: string): void =>
    certificates.install(
      new FieldReader(new FieldWriter().text(id).text(text).text(secret).text('').finish()),
    );
  install('client', certificateOf(client), keyOf(key));
  if (trusts !== null) install('root', certificateOf(trusts), '');
  const clock = new TestClock();
  const hardware = {
    call: async (method: string, first?: Parameters<Radio['join']>[0]) =>
      method === 'radioScan' ? radio.scan(first) : method === 'radioJoin' ? radio.join(first) : null,
  };
  const wifi = new Wifi(hardware, clock, certificates);
  const id = wifi.add();
  const set = (attribute: number, value: Uint8Array): Promise<void> | void =>
    wifi.set(new FieldReader(new FieldWriter().number(id).number(attribute).bytes(value).finish()), {
      isEnterprise: true,
    });
  await set(ATTRIBUTE.ssid, utf8Encode('office'));
  await set(ATTRIBUTE.security, Uint8Array.of(3, 0, 0, 0));
  await set(ATTRIBUTE.identity, utf8Encode(identity));
  await set(ATTRIBUTE.client, utf8Encode('client'));
  if (trusts !== null) await set(ATTRIBUTE.root, utf8Encode('root'));
  await set(ATTRIBUTE.enabled, Uint8Array.of(1, 0, 0, 0));
  if (wifi.isConnected) return 0;
  const writer = new FieldWriter();
  wifi.diagnostics(new FieldReader(new FieldWriter().number(id).finish()), writer);
  const reader = new FieldReader(writer.finish());
  reader.number();
  reader.number();
  expect(reader.number()).toBe(5);
  reader.number();
  reader.number();
  return reader.number();
}

describe('a device that joins a network by EAP-TLS', () => {
  it('shows its certificate, and has its root decide about the network', async () => {
    expect(await join({ client: lamp })).toBe(0);
  });

  it('takes any network where no root is named', async () => {
    expect(await join({ client: lamp, trusts: null })).toBe(0);
  });

  it('refuses a network whose server is another’s', async () => {
    expect(await join({ client: lamp, trusts: foreignRoot })).toBe(CERTIFICATE_ERROR.root);
  });

  it.each<[string, () => Parameters<typeof join>[0], number]>([
    ['another authority’s certificate', () => ({ client: stranger }), CERTIFICATE_ERROR.client],
    [
      'a certificate whose key it does not have',
      () => ({ client: lamp, key: stranger }),
      CERTIFICATE_ERROR.client,
    ],
    ['a name that is not known', () => ({ client: lamp, identity: 'lamp-8' }), CERTIFICATE_ERROR.identity],
    [
      'a certificate that has run out',
      () => ({ client: lamp, trusts: null, now: NOW + 25 * HOUR }),
      CERTIFICATE_ERROR.client,
    ],
  ])('is refused with %s', async (_what, how, error) => {
    expect(await join(how())).toBe(error);
  });
});

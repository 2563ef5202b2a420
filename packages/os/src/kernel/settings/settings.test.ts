import { execFileSync } from 'node:child_process';
import { utf8Encode, type Port, type PortValue } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { Radio, type AccessPoint } from '../../board/radio.ts';
import { compartmentWith } from '../testing/compartment.fixture.ts';
import { TestClock } from '../testing/test-clock.ts';
import { TimeKeeper } from '../time-keeper.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { DeviceSettings } from './settings.ts';

const HOME: AccessPoint = { ssid: 'home', security: 'wpa2-psk', key: 'correct horse', signal: -40 };
const OFFICE: AccessPoint = { ssid: 'office', security: 'wpa2-eap', identities: ['lamp-7'] };
const HIDDEN: AccessPoint = { ssid: 'cellar', security: 'open', isHidden: true };
const ALL = {
  WifiConfig: true,
  EnterpriseWifiConfig: true,
  CertStore: true,
  NetworkConfig: true,
  HardwareAddressConfig: true,
  TimeSyncConfig: true,
  SntpService: true,
  DhcpService: true,
};
/** Numbers of all operations: `enum settings_operation` of packages/sdk/lib/settings.h. */
const OPERATIONS = [
  ...Array.from({ length: 19 }, (_, index) => index + 1),
  ...Array.from({ length: 15 }, (_, index) => index + 30),
  ...Array.from({ length: 6 }, (_, index) => index + 60),
];
const OPEN = [1, 2, 4, 5, 11, 13, 18, 19];

/** A device's settings over flash and a radio that are kept between restarts. */
class World {
  readonly clock = new TestClock();
  flash: Uint8Array | null = null;
  settings: DeviceSettings;

  constructor(accessPoints: readonly AccessPoint[] = []) {
    const radio = new Radio(accessPoints);
    const hardware = async (method: string, first?: PortValue): Promise<PortValue> => {
      if (method === 'radioScan') return radio.scan(first);
      if (method === 'radioJoin') return radio.join(first);
      return null;
    };
    this.#hardware = { call: (method, first) => hardware(method, first) };
    this.settings = this.#start();
  }

  readonly #hardware: Port;

  #start(): DeviceSettings {
    return new DeviceSettings({
      monitor: {
        call: (method, _component, content) => {
          if (method === 'mutableWrite') this.flash = content as Uint8Array;
          return Promise.resolve(method === 'mutableRead' ? this.flash : null);
        },
      },
      hardware: this.#hardware,
      clock: this.clock,
      deviceId: 'd'.repeat(64),
      log: () => undefined,
      random: (length) => Promise.resolve(new Uint8Array(length)),
      timeKeeper: new TimeKeeper(this.#hardware, this.clock),
    });
  }

  async restart(): Promise<void> {
    this.settings = this.#start();
    await this.settings.load();
  }

  async do(
    number: number,
    write: (writer: FieldWriter) => unknown = () => undefined,
    capabilities: object = ALL,
  ): Promise<FieldReader> {
    const writer = new FieldWriter();
    write(writer);
    return new FieldReader(
      await this.settings.handle(compartmentWith(capabilities), number, writer.finish()),
    );
  }

  async network(ssid: string, security: number, key = ''): Promise<number> {
    const id = (await this.do(30)).number();
    const set = (attribute: number, value: Uint8Array): Promise<FieldReader> =>
      this.do(32, (writer) => writer.number(id).number(attribute).bytes(value));
    await set(0, utf8Encode(ssid));
    await set(1, Uint8Array.of(security, 0, 0, 0));
    if (key !== '') await set(5, utf8Encode(key));
    return id;
  }

  enable(id: number): Promise<FieldReader> {
    return this.do(32, (writer) =>
      writer
        .number(id)
        .number(2)
        .bytes(Uint8Array.of(1, 0, 0, 0)),
    );
  }

  async error(id: number): Promise<readonly number[]> {
    const reader = await this.do(41, (writer) => writer.number(id));
    reader.number();
    reader.number();
    const error = reader.number();
    reader.number();
    reader.number();
    return [error, reader.number()];
  }
}

describe('settings of a device', () => {
  it('are closed to an app whose manifest names nothing, but for eight that only look', async () => {
    const world = new World();
    for (const number of OPERATIONS) {
      const asked = world.do(number, () => undefined, {});
      if (OPEN.includes(number))
        await asked.catch((error: unknown) => expect(error).not.toMatchObject({ code: 'AccessDenied' }));
      else await expect(asked, String(number)).rejects.toMatchObject({ code: 'AccessDenied' });
    }
    await expect(world.do(19)).rejects.toMatchObject({ code: 'BadSetting' });
  });

  it('take no request that is cut, padded or too long', async () => {
    const world = new World();
    await expect(world.do(3, (writer) => writer.text('eth0'))).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(world.do(3, (writer) => writer.text('eth0').number(2))).rejects.toMatchObject({
      code: 'BadSetting',
    });
    await expect(world.do(11, (writer) => writer.number(1))).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(world.do(4, (writer) => writer.text('e'.repeat(65)))).rejects.toMatchObject({
      code: 'OutOfBounds',
    });
  });

  it('outlive a restart, and damage in flash makes a new device of it', async () => {
    const world = new World();
    await world.do(3, (writer) => writer.text('eth0').flag(false));
    await world.restart();
    expect((await world.do(4, (writer) => writer.text('eth0'))).number()).toBe(0);
    world.flash = world.flash?.subarray(0, 9) ?? null;
    await world.restart();
    expect((await world.do(4, (writer) => writer.text('eth0'))).number()).toBe(15);
  });

  it('keep the attached PC’s interface, and addresses that nobody may have, from apps', async () => {
    const world = new World();
    await expect(world.do(3, (writer) => writer.text('azspheresvc').flag(false))).rejects.toMatchObject({
      code: 'NotPermitted',
    });
    const address = (bytes: readonly number[], name = 'eth0'): Promise<FieldReader> =>
      world.do(6, (writer) => writer.text(name).bytes(Uint8Array.from(bytes)));
    await expect(address([1, 0, 0, 0, 0, 1])).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(address([0, 0, 0, 0, 0, 0])).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(address([2, 0, 0, 0, 0, 1], 'wlan0')).rejects.toMatchObject({ code: 'NotPermitted' });
    await address([2, 0, 0, 0, 0, 1]);
    expect((await world.do(5, (writer) => writer.text('eth0'))).bytes(6)).toEqual(
      Uint8Array.of(2, 0, 0, 0, 0, 1),
    );
  });

  it('serve addresses only from an interface that has one, and one alone', async () => {
    const world = new World();
    const lease = (start: number, count = 1): Promise<FieldReader> =>
      world.do(15, (writer) =>
        writer.text('eth0').number(start).number(count).number(0xffffff00).number(0).number(24).number(0),
      );
    await expect(lease(0xc0a80202)).rejects.toMatchObject({ code: 'NotPermitted' });
    await world.do(7, (writer) =>
      writer.text('eth0').flag(true).number(0xc0a80201).number(0xffffff00).number(0).flag(false).number(0),
    );
    await lease(0xc0a80202);
    await expect(lease(0xc0a80302)).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(lease(0xc0a80202, 2)).rejects.toMatchObject({ code: 'BadSetting' });
  });
});

describe('a radio', () => {
  it('hears what is there, and a hidden network only where it is asked for by name', async () => {
    const world = new World([HOME, HIDDEN]);
    const heard = async (): Promise<number> => (await world.do(40, (writer) => writer.flag(true))).number();
    expect(await heard()).toBe(1);
    const id = await world.network('cellar', 1);
    await world.do(32, (writer) =>
      writer
        .number(id)
        .number(11)
        .bytes(Uint8Array.of(1, 0, 0, 0)),
    );
    expect(await heard()).toBe(2);
  });

  it('joins with the right key and says why it did not with a wrong one', async () => {
    const world = new World([HOME]);
    const wrong = await world.network('home', 2, 'wrong horse');
    await world.enable(wrong);
    await expect(world.do(39)).rejects.toMatchObject({ code: 'NotConnected' });
    expect(await world.error(wrong)).toEqual([4, 0]);
    const right = await world.network('home', 2, 'correct horse');
    await world.enable(right);
    expect((await world.do(39)).number()).toBe(right);
    await expect(world.error(right)).rejects.toMatchObject({ code: 'NoSuchDevice' });
    expect((await world.do(4, (writer) => writer.text('wlan0'))).number()).toBe(15);
  });

  it('says which network is not there, or is secured otherwise', async () => {
    const world = new World([HOME]);
    const away = await world.network('beach', 1);
    await world.enable(away);
    expect(await world.error(away)).toEqual([2, 0]);
    const open = await world.network('home', 1);
    await world.enable(open);
    expect(await world.error(open)).toEqual([6, 0]);
  });

  it('forgets after a restart what was not kept', async () => {
    const world = new World([HOME]);
    await world.enable(await world.network('home', 2, 'correct horse'));
    await world.restart();
    expect((await world.do(38)).number()).toBe(0);
    await world.enable(await world.network('home', 2, 'correct horse'));
    await world.do(34);
    await world.restart();
    await world.do(35);
    expect((await world.do(38)).number()).toBe(1);
    expect((await world.do(4, (writer) => writer.text('wlan0'))).number()).toBe(15);
  });

  it('needs a client certificate and an identity that the other side knows for EAP-TLS', async () => {
    const world = new World([OFFICE]);
    const id = await world.network('office', 3);
    const set = (attribute: number, text: string): Promise<FieldReader> =>
      world.do(32, (writer) => writer.number(id).number(attribute).text(text));
    await set(7, 'client');
    await set(6, 'lamp-6');
    await world.enable(id);
    expect(await world.error(id)).toEqual([5, 100]);
    await installClient(world);
    await world.do(34);
    await world.do(35);
    // A reload numbers networks anew.
    const again = id + 1;
    expect(await world.error(again)).toEqual([5, 103]);
    await world.do(32, (writer) => writer.number(again).number(6).text('lamp-7'));
    await world.enable(again);
    expect((await world.do(39)).number()).toBe(again);
    await expect(
      world.do(32, (writer) => writer.number(again).number(6).text('lamp-7'), { WifiConfig: true }),
    ).rejects.toMatchObject({ code: 'AccessDenied' });
  });
});

/** A certificate and its key, made by OpenSSL. */
function makeCertificate(): { readonly certificate: string; readonly key: string } {
  const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout - -out -';
  const text = execFileSync('openssl', [...args.split(' '), '-subj', '/C=DE/O=Lamps/CN=lamp-7'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const block = (label: string): string =>
    new RegExp(`-----BEGIN ${label}-----[\\s\\S]*?-----END ${label}-----`).exec(text)?.[0] ?? '';
  return { certificate: block('CERTIFICATE'), key: block('PRIVATE KEY') };
}

async function installClient(world: World, id = 'client'): Promise<void> {
  const { certificate, key } = makeCertificate();
  await world.do(60, (writer) => writer.text(id).text(certificate).text(key).text(''));
}

describe('the certificate store', () => {
  it('shows what a certificate says, and keeps it over a restart', async () => {
    const world = new World();
    await installClient(world);
    await world.restart();
    const reader = await world.do(65, (writer) => writer.text('client'));
    expect([reader.text(300), reader.text(300)]).toEqual([
      'C=DE, O=Lamps, CN=lamp-7',
      'C=DE, O=Lamps, CN=lamp-7',
    ]);
    const notBefore = reader.number();
    expect(reader.number()).toBe(0);
    expect(reader.number() - notBefore).toBe(30 * 86_400);
  });

  it('takes nothing but certificates and keys, under names that it may have, as long as there is room', async () => {
    const world = new World();
    const { certificate, key } = makeCertificate();
    const install = (id: string, cert: string, privateKey = '', password = ''): Promise<FieldReader> =>
      world.do(60, (writer) => writer.text(id).text(cert).text(privateKey).text(password));
    await expect(install('root', 'no certificate')).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(install('root', certificate.replace('MII', 'MIJ'))).rejects.toMatchObject({
      code: 'BadSetting',
    });
    await expect(install('a b', certificate)).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(install('client', certificate, certificate)).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(install('client', certificate, key, 'secret')).rejects.toMatchObject({ code: 'BadSetting' });
    await expect(install('root', certificate + ' '.repeat(8192))).rejects.toMatchObject({
      code: 'OutOfBounds',
    });
    expect((await world.do(63)).number()).toBe(0);
    const large = certificate + '\n'.repeat(8000 - certificate.length);
    for (let index = 0; index < 5; index += 1) await install(`root${index}`, large);
    await expect(install('root5', large)).rejects.toMatchObject({ code: 'StoreFull' });
  });

  it('rotates: a new one takes the place of the old under its name', async () => {
    const world = new World();
    await installClient(world);
    await installClient(world, 'next');
    await world.do(62, (writer) => writer.text('next').text('client'));
    expect((await world.do(63)).number()).toBe(1);
    await world.do(61, (writer) => writer.text('client'));
    await expect(world.do(61, (writer) => writer.text('client'))).rejects.toMatchObject({
      code: 'NoSuchFile',
    });
  });
});

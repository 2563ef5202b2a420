import { KernelError } from '../errors.ts';
import type { FieldReader, FieldWriter } from './fields.ts';

interface Proxy {
  readonly options: number;
  readonly address: string;
  readonly port: number;
  readonly authentication: number;
  readonly username: string;
  readonly password: string;
  readonly exceptions: string;
}

/** Where the device's proxy is, and what it is told. */
export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

const LONGEST_ADDRESS = 255;
const LONGEST_SECRET = 63;
const MOST_PORT = 65_535;
/** `Networking_ProxyOptions_Enabled`; `Networking_ProxyStatus` bits; `Networking_ProxyAuthType_Basic`. */
const ENABLED = 2;
const STATUS = { enabled: 1, ready: 4 } as const;
const BASIC = 1;
const HOST = /^[a-z0-9](?:[a-z0-9.-]{0,252})$/i;
const CONTROL = /\p{Cc}/u;

/** The device's one proxy: HTTP, for its apps and its own services (applibs/networking.h). */
export class ProxySettings {
  #proxy: Proxy | null = null;

  set(reader: FieldReader): void {
    const proxy = readProxy(reader);
    const { options, address, port, username, password } = proxy;
    const isEnabled = (options & ENABLED) !== 0;
    if (isEnabled && (!HOST.test(address) || port === 0))
      throw new KernelError('BadSetting', 'A proxy has a host name or an IPv4 address, and a port.');
    if (username.includes(':') || CONTROL.test(username) || CONTROL.test(password))
      throw new KernelError('BadSetting', 'Name and password are text, the name without a colon (RFC 7617).');
    this.#proxy = proxy;
  }

  write(writer: FieldWriter): void {
    if (this.#proxy === null) throw new KernelError('NoSuchFile', 'There is no proxy.');
    writeProxy(this.#proxy, writer);
  }

  get isEnabled(): boolean {
    return this.#proxy !== null && (this.#proxy.options & ENABLED) !== 0;
  }

  /** `Networking_ProxyStatus`. */
  status(isNetworkReady: boolean): number {
    return this.isEnabled ? STATUS.enabled | (isNetworkReady ? STATUS.ready : 0) : 0;
  }

  /** The proxy that stands between the device and a host; null: none does. */
  forHost(host: string): ProxyAddress | null {
    if (this.#proxy === null || !this.isEnabled) return null;
    const { address, port, authentication, username, password, exceptions } = this.#proxy;
    const wanted = host.toLowerCase();
    const isExcepted = exceptions
      .toLowerCase()
      .split(',')
      .map((name) => name.trim().replace(/^\./, ''))
      .some((name) => name === '*' || (name !== '' && (wanted === name || wanted.endsWith(`.${name}`))));
    if (isExcepted) return null;
    return { host: address, port, credentials: authentication === BASIC ? { username, password } : null };
  }

  save(writer: FieldWriter): void {
    writer.flag(this.#proxy !== null);
    if (this.#proxy !== null) writeProxy(this.#proxy, writer);
  }

  load(reader: FieldReader): void {
    this.#proxy = reader.flag() ? readProxy(reader) : null;
  }
}

function readProxy(reader: FieldReader): Proxy {
  return {
    options: reader.number(3),
    address: reader.text(LONGEST_ADDRESS),
    port: reader.number(MOST_PORT),
    authentication: reader.number(1),
    username: reader.text(LONGEST_SECRET),
    password: reader.text(LONGEST_SECRET),
    exceptions: reader.text(LONGEST_ADDRESS),
  };
}

function writeProxy(proxy: Proxy, writer: FieldWriter): void {
  writer.number(proxy.options).text(proxy.address).number(proxy.port).number(proxy.authentication);
  writer.text(proxy.username).text(proxy.password).text(proxy.exceptions);
}

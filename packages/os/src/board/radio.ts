import {
  equalBytes,
  isBytes,
  listArgument,
  bytesArgument,
  recordArgument,
  textArgument,
  utf8Encode,
  type PortValue,
} from '@sevenfold/formats';
import { authenticate, type EapClient, type EapServer } from './eap-tls.ts';
import { NetworkError } from './network-errors.ts';

/** A Wi-Fi access point within reach of a virtual board. */
export interface AccessPoint {
  readonly ssid: string;
  /** Six bytes; absent: made up from the SSID. */
  readonly bssid?: Uint8Array;
  readonly security: 'open' | 'wpa2-psk' | 'wpa2-eap';
  /** The network's key, for `wpa2-psk`. */
  readonly key?: string;
  /** Clients that its authentication server knows, for `wpa2-eap`. */
  readonly identities?: readonly string[];
  /**
   * What that server shows and whose clients it takes, for `wpa2-eap`: certificates and keys then decide, by TLS.
   * Absent: it takes whoever says a name that it knows.
   */
  readonly authentication?: EapServer;
  /** MHz; default 2437, channel 6. */
  readonly frequency?: number;
  /** dBm where the board stands; default -55. */
  readonly signal?: number;
  /** Does not say its name unless asked by it. */
  readonly isHidden?: boolean;
}

const LONGEST_SSID = 32;
const MOST_TARGETS = 64;

function bssidOf({ ssid, bssid }: AccessPoint): Uint8Array {
  if (bssid !== undefined) return bssid;
  const bytes = Uint8Array.of(0x02, 0, 0, 0, 0, 0);
  utf8Encode(ssid).forEach((byte, index) => {
    const at = 1 + (index % 5);
    bytes[at] = ((bytes[at] ?? 0) * 31 + byte) & 0xff;
  });
  return bytes;
}

const LARGEST_PEM = 8192;

function readClient(untrusted: PortValue | undefined): EapClient {
  const { certificate, key, password, root } = recordArgument(untrusted, 'certificates', [
    'certificate',
    'key',
    'password',
    'root',
  ]);
  const text = (value: PortValue | undefined, field: string): string =>
    textArgument(value, `certificates.${field}`, LARGEST_PEM);
  return {
    certificate: text(certificate, 'certificate'),
    key: text(key, 'key'),
    password: text(password, 'password'),
    root: text(root, 'root'),
  };
}

/** The radio of a virtual board: hears the access points around it and joins those that let it. */
export class Radio {
  readonly #accessPoints: readonly AccessPoint[];

  readonly #now: () => number;

  constructor(accessPoints: readonly AccessPoint[], now: () => number = Date.now) {
    this.#accessPoints = accessPoints;
    this.#now = now;
  }

  /** What it hears: hidden networks only where it asks for them by name. */
  scan(untrusted: PortValue | undefined): PortValue {
    const targets = listArgument(untrusted, 'targets', MOST_TARGETS, (item, field) =>
      bytesArgument(item, field, { max: LONGEST_SSID }),
    );
    return this.#accessPoints
      .filter(
        ({ ssid, isHidden }) =>
          isHidden !== true || targets.some((target) => equalBytes(target, utf8Encode(ssid))),
      )
      .map((accessPoint) => ({
        ssid: utf8Encode(accessPoint.ssid),
        bssid: bssidOf(accessPoint),
        security: accessPoint.security,
        frequency: accessPoint.frequency ?? 2437,
        signal: accessPoint.signal ?? -55,
      }));
  }

  /** Steps in order: there; the same security; the key, or the client, that it knows; certificates of both sides. */
  async join(untrusted: PortValue | undefined): Promise<PortValue> {
    if (typeof untrusted !== 'object' || untrusted === null || Array.isArray(untrusted) || isBytes(untrusted))
      throw new NetworkError('BadArgument', 'The radio joins a network.');
    // A record of a port: what is neither null, an array nor bytes.
    const { ssid, security, key, identity, certificates } = untrusted as {
      readonly [key: string]: PortValue;
    };
    const found = this.#accessPoints.find(
      (accessPoint) => isBytes(ssid) && equalBytes(utf8Encode(accessPoint.ssid), ssid),
    );
    if (found === undefined)
      throw new NetworkError('RadioNoSuchNetwork', 'No access point answers to this name.');
    if (found.security !== security)
      throw new NetworkError('RadioOtherSecurity', `The network is ${found.security}.`);
    if (found.security === 'wpa2-psk' && found.key !== key)
      throw new NetworkError('RadioWrongKey', 'The four-way handshake failed.');
    if (found.security === 'wpa2-eap' && !(found.identities ?? []).some((known) => known === identity))
      throw new NetworkError('RadioNotAuthenticated', 'The authentication server refused this client.');
    if (found.authentication !== undefined)
      await authenticate(readClient(certificates), found.authentication, this.#now());
    return null;
  }
}

import { isBytes, viewOf, type Clock, type Port, type PortValue } from '@sevenfold/formats';

/** What a time server said. */
export interface SntpAnswer {
  readonly server: string;
  /** The device's own time when the answer came, and the server's: ms since 1970. */
  readonly before: number;
  readonly time: number;
}

const PORT = 123;
const PATIENCE = 2000;
/** Version 4, mode 3 (client) and mode 4 (server): RFC 4330 §4. */
const REQUEST = 0x23;
const SERVER_MODE = 4;
const PACKET = 48;
const TRANSMIT_TIME = 40;
const ORIGINATE_TIME = 24;
/** Seconds from 1900 to 1970. */
const ERA = 2_208_988_800;

function recordOf(value: PortValue): { readonly [key: string]: PortValue } {
  // A record of a port is what is neither null, an array nor bytes; anything else has none of the fields asked for.
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value)
    ? (value as { readonly [key: string]: PortValue })
    : {};
}

/** Asks time servers one after the other (SNTP, RFC 4330); null: none of them answered in time. */
export async function querySntp(
  hardware: Port,
  clock: Clock,
  servers: readonly string[],
): Promise<SntpAnswer | null> {
  for (const server of servers) {
    try {
      const time = await ask(hardware, clock, server);
      if (time !== null) return { server, before: clock.now(), time };
    } catch {
      // Not resolved, not reachable: the next one may be.
    }
  }
  return null;
}

async function ask(hardware: Port, clock: Clock, server: string): Promise<number | null> {
  const { addresses } = recordOf(await hardware.call('resolveName', server));
  const address = Array.isArray(addresses) ? (addresses as readonly PortValue[])[0] : undefined;
  if (typeof address !== 'number') return null;
  const { socket } = recordOf(await hardware.call('udpOpen', 0, 'any'));
  if (typeof socket !== 'number') return null;
  try {
    const packet = new Uint8Array(PACKET);
    packet[0] = REQUEST;
    // The server sends it back: nobody who did not see the question can answer it.
    const nonce = Math.round(clock.now() * 4096);
    viewOf(packet).setBigUint64(TRANSMIT_TIME, BigInt(nonce));
    await hardware.call('udpSend', socket, address, PORT, packet);
    const answer = await Promise.race([
      hardware.call('udpReceive', socket),
      clock.sleep(PATIENCE).then(() => null),
    ]);
    const { bytes } = recordOf(answer);
    if (!isBytes(bytes) || bytes.length < PACKET || ((bytes[0] ?? 0) & 7) !== SERVER_MODE) return null;
    const view = viewOf(bytes);
    if (view.getBigUint64(ORIGINATE_TIME) !== BigInt(nonce)) return null;
    const seconds = view.getUint32(TRANSMIT_TIME);
    return seconds === 0
      ? null
      : (seconds - ERA) * 1000 + (view.getUint32(TRANSMIT_TIME + 4) / 2 ** 32) * 1000;
  } finally {
    await hardware.call('socketClose', socket);
  }
}

import type { BoardNetwork } from '@sevenfold/os';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * How long (real milliseconds) virtual time waits for an answer to what an app has sent: long enough for a peer on
 * the same machine, short enough for days of virtual time in which nobody answers.
 */
const GRACE = 30;

/** Calls that wait for what a peer may never do. */
const WAITING: ReadonlySet<string> = new Set([
  'tlsRead',
  'tlsAccept',
  'http2Head',
  'http2Read',
  'tcpRead',
  'tcpAccept',
  'udpReceive',
]);
/** Calls that a peer may answer with data. */
const SENDING: ReadonlySet<string> = new Set(['tlsWrite', 'tcpWrite', 'udpSend', 'http2Request']);

/**
 * A network during whose operations virtual time stands still: the world outside answers in real time, and a
 * timeout of the device must not pass meanwhile. Reads of apps wait for ever, so these hold time for a moment only:
 * after they began, and after each write of theirs.
 */
export function holdTimeDuring(network: BoardNetwork, clock: VirtualClock): BoardNetwork {
  const moments = new Map<string, () => void>();
  // TLS connections, their listeners, exchanges and plain sockets are numbered apart.
  const kindOf = (method: string): string => {
    if (method === 'tlsAccept' || method.startsWith('http2')) return method;
    return method.startsWith('tls') ? 'tls' : 'socket';
  };
  const keyOf = (method: string, connection: unknown): string => `${kindOf(method)} ${String(connection)}`;
  const endMoment = (connection: string): void => {
    moments.get(connection)?.();
    moments.delete(connection);
  };
  const holdMoment = (connection: string): void => {
    endMoment(connection);
    const release = clock.hold();
    const timer = setTimeout(() => endMoment(connection), GRACE);
    moments.set(connection, () => {
      clearTimeout(timer);
      release();
    });
  };
  return {
    async handle(method, args) {
      const connection = keyOf(method, args[0]);
      if (WAITING.has(method)) {
        holdMoment(connection);
        try {
          return await network.handle(method, args);
        } finally {
          endMoment(connection);
        }
      }
      const release = clock.hold();
      try {
        const answer = await network.handle(method, args);
        if (SENDING.has(method)) holdMoment(connection);
        return answer;
      } finally {
        release();
      }
    },
    async close() {
      for (const connection of moments.keys()) endMoment(connection);
      await network.close();
    },
  };
}

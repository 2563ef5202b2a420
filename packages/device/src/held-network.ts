import type { BoardNetwork } from '@sevenfold/os';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * How long (real milliseconds) virtual time waits for an answer to what an app has sent: long enough for a peer on
 * the same machine, short enough for days of virtual time in which nobody answers.
 */
const GRACE = 30;

/**
 * A network during whose operations virtual time stands still: the world outside answers in real time, and a
 * timeout of the device must not pass meanwhile. Reads of apps wait for ever, so these hold time for a moment only:
 * after they began, and after each write of theirs.
 */
export function holdTimeDuring(network: BoardNetwork, clock: VirtualClock): BoardNetwork {
  const moments = new Map<unknown, () => void>();
  const endMoment = (connection: unknown): void => {
    moments.get(connection)?.();
    moments.delete(connection);
  };
  const holdMoment = (connection: unknown): void => {
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
      const [connection] = args;
      if (method === 'tlsRead') {
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
        if (method === 'tlsWrite') holdMoment(connection);
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

import { createServer } from 'node:net';
import type { Entropy } from '@sevenfold/formats';

/**
 * Ports are chosen below the range from which systems take the source ports of connections (Linux: 32768 and up): a
 * remembered port has to be free again at every later start.
 */
const LOWEST = 20_000;
const HIGHEST = 32_767;
const MOST_TRIES = 200;

/** A port that nothing listens on at the moment. */
export async function choosePort(host: string, entropy: Entropy): Promise<number> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const [high = 0, low = 0] = entropy.random(2);
    const port = LOWEST + ((high * 256 + low) % (HIGHEST - LOWEST + 1));
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no port between ${LOWEST} and ${HIGHEST} is free on ${host}`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      const isTaken = 'code' in error && error.code === 'EADDRINUSE';
      if (isTaken) resolve(false);
      else reject(error);
    });
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

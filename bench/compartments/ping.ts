import { MessageChannel, Worker } from 'node:worker_threads';
import { quantile } from '../pairs.ts';

const ROUNDS = 7;
const PINGS = 2000;
const ECHO = `const { workerData } = require('node:worker_threads');
workerData.on('message', (message) => workerData.postMessage(message));`;
const ASK = `const { parentPort, workerData } = require('node:worker_threads');
const { port, pings } = workerData;
parentPort.on('message', () => {
  let left = pings;
  const begun = performance.now();
  port.on('message', (message) => {
    left -= 1;
    if (left > 0) return port.postMessage(message);
    port.removeAllListeners('message');
    parentPort.postMessage((performance.now() - begun) / pings);
  });
  port.postMessage(null);
});`;

/** µs of an empty message from one thread to another and back: the median of some runs. */
export async function measurePing(): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const echo = new Worker(ECHO, { eval: true, workerData: port1, transferList: [port1] });
  const ask = new Worker(ASK, {
    eval: true,
    workerData: { port: port2, pings: PINGS },
    transferList: [port2],
  });
  const times: number[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const time = await new Promise<number>((resolve, reject) => {
        ask.once('message', resolve).once('error', reject);
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        ask.postMessage(null);
      });
      if (round > 0) times.push(time * 1000);
    }
  } finally {
    await Promise.all([echo.terminate(), ask.terminate()]);
  }
  return quantile(times, 0.5);
}

import { concatBytes, viewOf } from '@sevenfold/formats';
import type { Endpoint, Message } from './port-link.ts';
import { decodeMessage, encodeMessage } from './wire-messages.ts';

/** What is read and written: a process's standard input and output, or its pipes. */
interface ByteSource {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
}
interface ByteSink {
  write(bytes: Uint8Array): unknown;
}

/** Longest message in bytes: what a realm lets out, as text, and what goes round it. */
const MOST_MESSAGE = 96 * 1024 * 1024;

/**
 * An endpoint over a pair of byte streams: each message is its length (32 bits, little-endian) and its bytes. The
 * other end may be hostile: at the first byte that is no message `onBroken` is called, and nothing is heard from then on.
 */
export function streamEndpoint(source: ByteSource, sink: ByteSink, onBroken: () => void): Endpoint {
  let listener: (message: unknown) => void = () => {};
  let chunks: Uint8Array[] = [];
  let waiting = 0;
  let wanted = 4;
  let isHead = true;
  let isBroken = false;

  const takeWanted = (): Uint8Array => {
    const all = concatBytes(...chunks);
    chunks = [all.subarray(wanted)];
    waiting = all.length - wanted;
    return all.subarray(0, wanted);
  };
  const takeMessages = (): void => {
    while (waiting >= wanted) {
      const bytes = takeWanted();
      if (isHead) {
        wanted = viewOf(bytes).getUint32(0, true);
        if (wanted > MOST_MESSAGE) throw new RangeError('too long');
      } else {
        listener(decodeMessage(bytes));
        wanted = 4;
      }
      isHead = !isHead;
    }
  };

  source.on('data', (chunk) => {
    if (isBroken) return;
    chunks.push(chunk);
    waiting += chunk.length;
    if (waiting < wanted) return;
    try {
      takeMessages();
    } catch {
      // Whatever is wrong with it, there is no getting back into step.
      isBroken = true;
      chunks = [];
      onBroken();
    }
  });
  // Written from a stack of its own: a stage that calls out with its stack all but used up would else have a write
  // break off within the stream, which never recovers from that.
  const outgoing: Uint8Array[] = [];
  let isDue = false;
  const flush = (): void => {
    isDue = false;
    const all = concatBytes(...outgoing.splice(0, 1000));
    if (outgoing.length > 0) flushSoon();
    sink.write(all);
  };
  const flushSoon = (): void => {
    if (isDue) return;
    queueMicrotask(flush);
    isDue = true;
  };
  return {
    postMessage(message) {
      const bytes = encodeMessage(message as Message);
      const head = new Uint8Array(4);
      viewOf(head).setUint32(0, bytes.length, true);
      outgoing.push(concatBytes(head, bytes));
      flushSoon();
    },
    on(_event, given) {
      listener = given;
    },
  };
}

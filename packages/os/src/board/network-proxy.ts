import type { Duplex } from 'node:stream';
import type { ProxyTarget } from './network-arguments.ts';
import { NetworkError, toNetworkError } from './network-errors.ts';

/** A proxy says no more than this before the tunnel begins. */
const LONGEST_HEAD = 8192;
const STATUS = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/;

function question(host: string, port: number, { credentials }: ProxyTarget): string {
  const lines = [`CONNECT ${host}:${port} HTTP/1.1`, `Host: ${host}:${port}`];
  if (credentials !== null) {
    const { username, password } = credentials;
    lines.push(`Proxy-Authorization: Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * Has an HTTP proxy open a tunnel (RFC 9110 §9.3.6) over a connection to it. What comes after the proxy's answer is the
 * peer's already and stays in the stream. ProxyRefused: any answer but 2xx, none, or one without an end.
 */
export async function openTunnel(
  stream: Duplex,
  host: string,
  port: number,
  proxy: ProxyTarget,
): Promise<void> {
  stream.write(question(host, port, proxy));
  let head = Buffer.alloc(0);
  for (;;) {
    const end = head.indexOf('\r\n\r\n');
    if (end !== -1) {
      const rest = head.subarray(end + 4);
      if (rest.length > 0) stream.unshift(rest);
      return judge(head.toString('latin1', 0, end + 4));
    }
    if (head.length > LONGEST_HEAD) throw refused('its answer does not end');
    head = Buffer.concat([head, await nextChunk(stream)]);
  }
}

function judge(head: string): void {
  const [, status = 'no HTTP'] = STATUS.exec(head) ?? [];
  if (!/^2\d\d$/.test(status)) throw refused(`it answered ${status}`);
}

function refused(why: string): NetworkError {
  return new NetworkError('ProxyRefused', `The proxy opened no tunnel: ${why}.`, { rule: '2xx' });
}

/** What is there, as soon as there is something; nothing of what follows is taken out of the stream. */
function nextChunk(stream: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      stream.off('readable', look);
      stream.off('end', lost);
      stream.off('error', fail);
      stream.off('close', lost);
    };
    const fail = (error: unknown): void => {
      done();
      reject(toNetworkError(error));
    };
    const lost = (): void => fail(refused('it hung up'));
    const look = (): void => {
      const chunk: unknown = stream.read();
      if (chunk instanceof Buffer) {
        done();
        resolve(chunk);
      } else if (stream.readableEnded || stream.destroyed) lost();
    };
    stream.on('readable', look);
    stream.on('end', lost);
    stream.on('error', fail);
    stream.on('close', lost);
    look();
  });
}

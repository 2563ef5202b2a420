import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import { decodeDeviceProblem } from '@sevenfold/formats';
import { toPem } from '@sevenfold/pki';
import type { RunningService } from '@sevenfold/service';
import type { Identity } from './hostile-device.ts';

/** Everything that a port says to `parts` until it hangs up; the next part follows whenever the clock ticks. */
export async function answerTo(
  { tlsRootPem }: Pick<RunningService, 'tlsRootPem'>,
  port: number,
  parts: readonly (string | Uint8Array)[],
  identity?: Identity,
): Promise<Buffer> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: tlsRootPem,
    ...(identity === undefined
      ? {}
      : { cert: toPem('CERTIFICATE', ...identity.chain), key: toPem('PRIVATE KEY', identity.pkcs8) }),
  });
  await once(socket, 'secureConnect');
  return readAll(socket, parts);
}

/** The same over a connection that is there already. */
export async function readAll(socket: Socket, parts: readonly (string | Uint8Array)[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // How a port hangs up on a rude client is a matter of timing: what it said before is what counts.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const [first, ...rest] = parts;
  if (first !== undefined) socket.write(first);
  // A byte now and then: never silent, never done.
  const trickle = setInterval(() => {
    const part = rest.shift();
    if (part !== undefined && socket.writable) socket.write(part);
  }, 100);
  await closed;
  clearInterval(trickle);
  return Buffer.concat(chunks);
}

/** Status and code of an HTTP answer of either port. */
export function codeIn(answer: Buffer): { readonly status: number; readonly code: string } {
  const status = Number(answer.subarray(9, 12).toString());
  const body = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
  if (answer.includes('application/problem+json')) {
    const { code } = JSON.parse(body.toString()) as { code: string };
    return { status, code };
  }
  return { status, code: decodeDeviceProblem(new Uint8Array(body)).code };
}

/** The peer of the fresh connections: TLS 1.3 as bare as Node gives it, and one constant answer to whoever asks. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const [, , port, key, cert, answerLength] = process.argv;
if (key === undefined || cert === undefined) throw new Error('port, key, certificate, length of the answer');
const body = Buffer.alloc(Number(answerLength), 0x2e);
const answer = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`, 'latin1'),
  body,
]);
const HEAD_END = Buffer.from('\r\n\r\n');

const server = createServer(
  { key: readFileSync(key), cert: readFileSync(cert), minVersion: 'TLSv1.3' },
  (socket) => {
    let received: Buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const end = received.indexOf(HEAD_END);
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/u.exec(received.toString('latin1', 0, end))?.[1] ?? 0);
      if (received.length < end + HEAD_END.length + length) return;
      received = Buffer.alloc(0);
      socket.write(answer);
    });
  },
);
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));

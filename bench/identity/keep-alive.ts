import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

const HEAD_END = Buffer.from('\r\n\r\n');

/** One request after the other on one connection: bytes in, status out. Costs the client as little as it can. */
export class KeepAliveConnection {
  readonly socket: TLSSocket;
  #received: Buffer = Buffer.alloc(0);
  #answered: PromiseWithResolvers<number> | null = null;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('close', () => this.#answered?.reject(new Error('the server hung up')));
    socket.on('error', (error) => this.#answered?.reject(error));
  }

  /** A fresh connection, never a resumed one. */
  static async open(port: number, ca: string, servername: string): Promise<KeepAliveConnection> {
    const socket = connect({ port, host: '127.0.0.1', servername, ca, minVersion: 'TLSv1.3' });
    socket.setNoDelay(true);
    await once(socket, 'secureConnect');
    return new KeepAliveConnection(socket);
  }

  /** Sends a whole request and resolves with the status of its answer when all of that has come. */
  request(bytes: Uint8Array): Promise<number> {
    this.#answered = Promise.withResolvers<number>();
    this.socket.write(bytes);
    return this.#answered.promise;
  }

  close(): void {
    this.#answered = null;
    this.socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = Number(/^content-length: *(\d+)$/imu.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) {
      this.#answered?.reject(new Error(`an answer without a length: ${head}`));
      return;
    }
    if (this.#received.length < end + HEAD_END.length + length) return;
    this.#received = this.#received.subarray(end + HEAD_END.length + length);
    this.#answered?.resolve(Number(head.slice(9, 12)));
  }
}

/** A whole HTTP/1.1 POST. */
export function postRequest(path: string, type: string, body: Uint8Array): Uint8Array {
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

/** What a round of load gave. */
export interface Load {
  /** Answers with status 200 a second. */
  readonly rate: number;
  /** The same for each CPU second of the server. */
  readonly ratePerCpu: number;
}

/** Who is asked, and with what. */
export interface LoadTarget {
  readonly port: number;
  readonly ca: string;
  readonly servername: string;
  cpuSeconds(): number;
  /** The next whole request for this connection; made before the clock runs. */
  prepare(connection: KeepAliveConnection): Uint8Array;
}

/** Sends `requests` prepared requests over `connections` connections that stay open; each waits for its answer. */
export async function runLoad(target: LoadTarget, connections: number, requests: number): Promise<Load> {
  const open = await Promise.all(
    Array.from({ length: connections }, () =>
      KeepAliveConnection.open(target.port, target.ca, target.servername),
    ),
  );
  const queues = open.map((connection) =>
    Array.from({ length: Math.ceil(requests / connections) }, () => target.prepare(connection)),
  );
  const count = queues.reduce((sum, queue) => sum + queue.length, 0);
  const cpu = target.cpuSeconds();
  const began = performance.now();
  await Promise.all(
    open.map(async (connection, index) => {
      for (const request of queues[index] ?? []) {
        const status = await connection.request(request);
        if (status !== 200) throw new Error(`an answer with status ${status}`);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const cpuSeconds = target.cpuSeconds() - cpu;
  for (const connection of open) connection.close();
  return { rate: count / seconds, ratePerCpu: count / cpuSeconds };
}

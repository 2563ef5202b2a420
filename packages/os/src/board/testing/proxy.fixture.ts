import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An HTTP proxy on loopback that opens tunnels to names of its own. */
export interface TestProxy {
  readonly port: number;
  /** The heads of the requests that came, in order. */
  readonly heads: string[];
  close(): Promise<void>;
}

/** Starts one. `answer` says something else than that the tunnel is open; `hosts` gives the ports behind names. */
export async function startProxy({
  hosts = {},
  answer,
}: {
  readonly hosts?: Readonly<Record<string, number>>;
  readonly answer?: (head: string) => string | null;
}): Promise<TestProxy> {
  const heads: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => {});
    let head = '';
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      client.off('data', onData);
      heads.push(head);
      const said = answer?.(head) ?? null;
      if (said !== null) return void client.write(said);
      const [, name = ''] = /^CONNECT ([^ ]+) HTTP\/1\.1\r\n/.exec(head) ?? [];
      const port = hosts[name];
      if (port === undefined) return void client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      const target = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(target).pipe(client);
      });
      open.add(target);
      target.on('error', () => client.destroy());
    };
    client.on('data', onData);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    heads,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Chip } from '@sevenfold/silicon';
import { describeError } from '../errors.ts';

/** Where GDB finds the real-time cores of a device, until it is closed. */
export interface GdbServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves GDB's remote protocol on this machine alone: a connection takes hold of the real-time core that runs an app.
 * `chipNow` gives the chip of the moment. `port` 0: any that is free. Rejects where the port is taken.
 */
export async function serveGdb(
  port: number,
  chipNow: () => Chip | null,
  tell: (line: string) => void,
): Promise<GdbServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Whatever ends a connection, `close` follows.
    socket.on('error', () => undefined);
    const core = chipNow()?.realTimeCores.find(({ state }) => state !== 'off');
    if (core === undefined) {
      tell('gdb: no app runs on a real-time core');
      socket.destroy();
      return;
    }
    try {
      const session = core.debug(
        (bytes) => void socket.write(bytes),
        () => socket.end(),
      );
      tell(`gdb: holds real-time core ${core.index}`);
      socket.on('data', (bytes) => {
        if (typeof bytes !== 'string') session.receive(bytes);
      });
      socket.on('close', () => {
        session.end();
        tell(`gdb: has let go of real-time core ${core.index}`);
      });
    } catch (error) {
      tell(`gdb: ${describeError(error)}`);
      socket.destroy();
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

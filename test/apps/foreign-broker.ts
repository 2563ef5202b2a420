import { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import type { TestServer } from '../../packages/os/src/kernel/testing/kernel-world.ts';

/** A message as the broker got it. */
export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
}

/** Somebody else's MQTT broker at the other end of the app's connections. */
export async function foreignBroker(messages: Message[]): Promise<(server: TestServer) => void> {
  const broker = await Aedes.createBroker();
  broker.on('publish', ({ topic, payload, qos }, client) => {
    if (client !== null) messages.push({ topic, payload: payload.toString(), qos });
  });
  return (server) => {
    const stream = new Duplex({
      read: () => undefined,
      write(bytes: Buffer, _encoding, done) {
        server.send(new Uint8Array(bytes));
        done();
      },
    });
    server.received = new Proxy(server.received, {
      set(target, key, value: unknown) {
        if (value instanceof Uint8Array) stream.push(Buffer.from(value));
        return Reflect.set(target, key, value);
      },
    });
    broker.handle(stream);
  };
}

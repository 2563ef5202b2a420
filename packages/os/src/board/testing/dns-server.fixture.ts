import { createSocket } from 'node:dgram';

/** A name server on loopback that answers as it is told (RFC 1035 §4), and counts who asks. */
export interface TestNameServer {
  /** `address:port` */
  readonly address: string;
  /** Answers by name, to be changed at any time. */
  readonly records: Map<string, { readonly addresses: readonly string[]; readonly ttl: number }>;
  /** Names that were asked for, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

function nameIn(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 5 };
}

/** Starts one. */
export async function startNameServer(): Promise<TestNameServer> {
  const socket = createSocket('udp4');
  const records: TestNameServer['records'] = new Map();
  const asked: string[] = [];
  socket.on('message', (query, { address, port }) => {
    const { name, end } = nameIn(query);
    asked.push(name);
    const found = records.get(name);
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    // A response, recursion available; NXDOMAIN for a name that is not there.
    header.writeUInt16BE(found === undefined ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(found?.addresses.length ?? 0, 6);
    const answers = (found?.addresses ?? []).map((text) => {
      const answer = Buffer.alloc(16);
      answer.writeUInt16BE(0xc00c, 0);
      answer.writeUInt16BE(1, 2);
      answer.writeUInt16BE(1, 4);
      answer.writeUInt32BE(found?.ttl ?? 0, 6);
      answer.writeUInt16BE(4, 10);
      text.split('.').forEach((part, index) => answer.writeUInt8(Number(part), 12 + index));
      return answer;
    });
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), port, address);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return {
    address: `127.0.0.1:${socket.address().port}`,
    records,
    asked,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

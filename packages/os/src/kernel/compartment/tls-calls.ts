import { utf8Decode, utf8Encode } from '@sevenfold/formats';
import type { ImportsAnswered } from '../import-table.ts';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';
import { Http2File, readHttp2Request } from './http2-file.ts';
import { NON_BLOCKING } from './open-file.ts';
import { TlsFile, type TlsTarget } from './tls-file.ts';
import { TlsListenerFile } from './tls-listener-file.ts';

const LONGEST_HOST = 253;
const LONGEST_DEVICE_ID = 128;
const LARGEST_ROOTS = 16_384;
const LARGEST_HEAD = 16_384;
const LARGEST_BODY = 65_536;
const DEVICE = 1;
const MOST_PORT = 65_535;
/** The length of a body that there is not. */
const NO_BODY = -1;

type Sevenfold = 'sevenfold';
/** TLS and HTTP/2: `packages/sdk/lib/tls.c` and `curl_http2.c`. */
export type TlsCall = `tls_${string}` | `http2_${string}`;

/** What is answered inside. */
export function tlsCalls({ memory, fds }: Guest) {
  return {
    tls_protocol(fd: number, out: number) {
      memory.require(out, 4);
      memory.write32(out, fds.getAs(fd, TlsFile).protocol);
    },
  } satisfies Readonly<
    Record<Extract<ImportsAnswered<Sevenfold, 'inside'>, TlsCall>, (...args: never[]) => void>
  >;
}

/** What crosses to the kernel or waits. */
export function waitingTlsCalls(guest: Guest) {
  const { memory, fds, kernel, waker } = guest;
  const text = (pointer: number, length: number, most: number): string => {
    if (length >>> 0 > most) throw new CallRefused('EINVAL');
    return utf8Decode(memory.copy(pointer, length));
  };
  const connect = async (target: TlsTarget, flags: number, out: number): Promise<void> => {
    memory.require(out, 4);
    fds.reserve();
    memory.write32(out, fds.add(await TlsFile.connect(kernel, waker, target, flags)));
  };
  return {
    async tls_roots(pointer: number, length: number) {
      if (length >>> 0 > LARGEST_ROOTS) throw new CallRefused('EINVAL');
      await kernel.call('tlsRoots', memory.copy(pointer, length));
    },
    tls_connect(pointer: number, length: number, port: number, identity: number, flags: number, out: number) {
      const host = text(pointer, length, LONGEST_HOST);
      return connect({ host, port, identity, peer: null }, flags, out);
    },
    tls_connect_device(
      pointer: number,
      length: number,
      port: number,
      id: number,
      idLength: number,
      flags: number,
      out: number,
    ) {
      const host = text(pointer, length, LONGEST_HOST);
      const peer = text(id, idLength, LONGEST_DEVICE_ID);
      return connect({ host, port, identity: DEVICE, peer }, flags, out);
    },
    async tls_listen(port: number, backlog: number, flags: number, out: number) {
      if (port <= 0 || port > MOST_PORT || (flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
      memory.require(out, 4);
      fds.reserve();
      const file = await TlsListenerFile.listen(kernel, waker, port, Math.max(1, backlog));
      file.flags = flags;
      memory.write32(out, fds.add(file));
    },
    async tls_accept(fd: number, flags: number, outId: number, size: number, out: number) {
      if ((flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
      const listener = fds.getAs(fd, TlsListenerFile);
      memory.require(out, 4);
      memory.require(outId, size);
      if (size >>> 0 <= LONGEST_DEVICE_ID) throw new CallRefused('ERANGE');
      fds.reserve();
      const { file, deviceId } = await listener.accept(flags);
      memory.write(outId, utf8Encode(`${deviceId}\0`).subarray(0, size >>> 0));
      memory.write32(out, fds.add(file));
    },
    http2_open(
      fd: number,
      head: number,
      headLength: number,
      body: number,
      bodyLength: number,
      flags: number,
      out: number,
    ) {
      const hasBody = bodyLength !== NO_BODY;
      if (headLength >>> 0 > LARGEST_HEAD || (hasBody && bodyLength >>> 0 > LARGEST_BODY))
        throw new CallRefused('EMSGSIZE');
      if ((flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
      const { connection } = fds.getAs(fd, TlsFile);
      memory.require(out, 4);
      fds.reserve();
      const request = readHttp2Request(
        memory.copy(head, headLength),
        hasBody ? memory.copy(body, bodyLength) : null,
      );
      memory.write32(out, fds.add(Http2File.open(kernel, waker, connection, request, flags)));
    },
  } satisfies Readonly<
    Record<Extract<ImportsAnswered<Sevenfold, 'waits'>, TlsCall>, (...args: never[]) => void | Promise<void>>
  >;
}

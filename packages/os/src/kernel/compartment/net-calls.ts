import { isGuid, utf8Decode } from '@sevenfold/formats';
import type { ImportsAnswered } from '../import-table.ts';
import { AppSocket } from './app-socket.ts';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';
import { NON_BLOCKING } from './open-file.ts';
import { DatagramSocket, SocketFile, StreamSocket, type Endpoint } from './socket-file.ts';
import { capacity, gather, scatter, vectors } from './vectors.ts';

/** wasi-libc's `SOCK_DGRAM` and `SOCK_STREAM`. */
const SOCKET_TYPE = { datagram: 5, stream: 6 } as const;
/** WASI's riflags and sdflags. */
const PEEK = 1;
const SHUT_WRITE = 2;
/** What `socket_option_get` and `_set` know; `packages/sdk/lib` translates SOL_SOCKET's and IPPROTO_TCP's. */
const OPTION = {
  error: 1,
  type: 2,
  isListening: 3,
  lastSwitch: 7,
  lastBuffer: 9,
  receiveTimeout: 10,
  sendTimeout: 11,
} as const;
/** reuse address 4, broadcast 5, keep alive 6, no delay 7; receive buffer 8, send buffer 9; timeouts in ms. */
const FIRST_SWITCH = 4;
const BUFFER_SIZE = 16_384;
const LONGEST_NAME = 253;
const LONGEST_TRANSFER = 65_536;
const MOST_PORT = 65_535;
const GUID_LENGTH = 36;

type Sevenfold = 'sevenfold';
type Wasi = 'wasi_snapshot_preview1';
type NetCall = `socket_${string}` | 'resolve' | 'app_connect';

function socketAt(guest: Guest, fd: number): SocketFile {
  const file = guest.fds.get(fd);
  if (!(file instanceof SocketFile)) throw new CallRefused('ENOTSOCK');
  return file;
}

function endpoint(address: number, port: number): Endpoint {
  if (port < 0 || port > MOST_PORT) throw new CallRefused('EINVAL');
  return { address: address >>> 0, port };
}

function writeEndpoint(guest: Guest, out: number, { address, port }: Endpoint): void {
  guest.memory.write32(out, address);
  guest.memory.write32(out + 4, port);
}

/** Sockets: what is answered inside. */
export function netCalls(guest: Guest) {
  const { memory, fds, kernel, waker } = guest;
  return {
    socket_open(type: number, flags: number, out: number) {
      if ((flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
      if (type !== SOCKET_TYPE.stream && type !== SOCKET_TYPE.datagram) throw new CallRefused('EPROTOTYPE');
      const Kind = type === SOCKET_TYPE.stream ? StreamSocket : DatagramSocket;
      const socket = new Kind(kernel, waker);
      socket.flags = flags;
      memory.require(out, 4);
      memory.write32(out, fds.add(socket));
    },
    socket_address(fd: number, isPeer: number, out: number) {
      const socket = socketAt(guest, fd);
      const found = isPeer === 0 ? socket.local : socket.peer;
      if (found === null) throw new CallRefused('ENOTCONN');
      memory.require(out, 8);
      writeEndpoint(guest, out, found);
    },
    socket_option_get(fd: number, option: number, out: number) {
      const socket = socketAt(guest, fd);
      memory.require(out, 4);
      if (option === OPTION.error) memory.write32(out, socket.takeError());
      else if (option === OPTION.type)
        memory.write32(out, socket instanceof StreamSocket ? SOCKET_TYPE.stream : SOCKET_TYPE.datagram);
      else if (option === OPTION.isListening) memory.write32(out, socket.isListening ? 1 : 0);
      else if (option >= FIRST_SWITCH && option <= OPTION.lastSwitch)
        memory.write32(out, socket.switches.has(option) ? 1 : 0);
      else if (option > OPTION.lastSwitch && option <= OPTION.lastBuffer) memory.write32(out, BUFFER_SIZE);
      else if (option === OPTION.receiveTimeout) memory.write32(out, socket.receivePatience);
      else if (option === OPTION.sendTimeout) memory.write32(out, socket.sendPatience);
      else throw new CallRefused('ENOPROTOOPT');
    },
    socket_option_set(fd: number, option: number, value: number) {
      const socket = socketAt(guest, fd);
      // How large a buffer is, is the OS's to say.
      if (option > OPTION.lastSwitch && option <= OPTION.lastBuffer) return;
      if (option === OPTION.receiveTimeout) socket.receivePatience = value >>> 0;
      else if (option === OPTION.sendTimeout) socket.sendPatience = value >>> 0;
      else if (option < FIRST_SWITCH || option > OPTION.lastSwitch) throw new CallRefused('ENOPROTOOPT');
      else if (value === 0) socket.switches.delete(option);
      else socket.switches.add(option);
    },
  } satisfies Readonly<
    Record<Extract<ImportsAnswered<Sevenfold, 'inside'>, NetCall>, (...args: never[]) => void>
  >;
}

/** Sockets and names: what crosses to the kernel or waits. */
export function waitingNetCalls(guest: Guest) {
  const { memory, fds, kernel, waker } = guest;
  return {
    socket_bind: (fd: number, address: number, port: number) =>
      socketAt(guest, fd).bind(endpoint(address, port)),
    socket_connect: (fd: number, address: number, port: number) =>
      socketAt(guest, fd).connect(endpoint(address, port)),
    async socket_connect_host(fd: number, pointer: number, length: number, port: number) {
      const socket = socketAt(guest, fd);
      if (length >>> 0 > LONGEST_NAME || port <= 0 || port > MOST_PORT) throw new CallRefused('EINVAL');
      await socket.connectHost(utf8Decode(memory.copy(pointer, length)), port);
    },
    socket_listen: (fd: number, backlog: number) => socketAt(guest, fd).listen(backlog),
    async socket_send_to(
      fd: number,
      pointer: number,
      length: number,
      address: number,
      port: number,
      out: number,
    ) {
      const socket = socketAt(guest, fd);
      if (length >>> 0 > LONGEST_TRANSFER) throw new CallRefused('EMSGSIZE');
      memory.require(out, 4);
      memory.write32(out, await socket.sendTo(memory.copy(pointer, length), endpoint(address, port)));
    },
    async socket_receive_from(
      fd: number,
      pointer: number,
      length: number,
      flags: number,
      outFrom: number,
      out: number,
    ) {
      const socket = socketAt(guest, fd);
      memory.require(outFrom, 8);
      memory.require(out, 4);
      const room = memory.bytes(pointer, length).length;
      const { bytes, from } = await socket.receiveFrom(
        Math.min(room, LONGEST_TRANSFER),
        (flags & PEEK) !== 0,
      );
      memory.write(pointer, bytes);
      writeEndpoint(guest, outFrom, from);
      memory.write32(out, bytes.length);
    },
    async app_connect(text: number, out: number) {
      const componentId = String.fromCharCode(...memory.copy(text, GUID_LENGTH)).toLowerCase();
      if (!isGuid(componentId)) throw new CallRefused('EINVAL');
      memory.bytes(out, 4);
      fds.reserve();
      memory.write32(out, fds.add(await AppSocket.connect(kernel, waker, componentId)));
    },
    async resolve(pointer: number, length: number, out: number, most: number, outCount: number) {
      if (length >>> 0 > LONGEST_NAME) throw new CallRefused('EINVAL');
      memory.require(out, most * 4);
      memory.require(outCount, 4);
      let name: string;
      try {
        name = utf8Decode(memory.copy(pointer, length));
      } catch (error) {
        throw error instanceof CallRefused ? error : new CallRefused('EINVAL');
      }
      const answer = await kernel.call('netResolve', name);
      const addresses = Array.isArray(answer) ? answer.slice(0, most) : [];
      addresses.forEach((address, index) => memory.write32(out + index * 4, Number(address)));
      memory.write32(outCount, addresses.length);
    },
  } satisfies Readonly<
    Record<Extract<ImportsAnswered<Sevenfold, 'waits'>, NetCall>, (...args: never[]) => void | Promise<void>>
  >;
}

/** WASI's own calls on sockets. */
export function socketCalls(guest: Guest) {
  const { memory, fds } = guest;
  return {
    async sock_accept(fd: number, flags: number, out: number) {
      if ((flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
      const listener = socketAt(guest, fd);
      memory.require(out, 4);
      fds.reserve();
      const socket = await listener.accept();
      socket.flags = flags;
      memory.write32(out, fds.add(socket));
    },
    async sock_recv(fd: number, list: number, count: number, flags: number, out: number, outFlags: number) {
      const parts = vectors(guest, list, count);
      memory.require(out, 4);
      memory.require(outFlags, 2);
      const socket = socketAt(guest, fd);
      const { bytes } = await socket.receiveFrom(capacity(parts), (flags & PEEK) !== 0);
      scatter(guest, parts, bytes, out);
      memory.write16(outFlags, 0);
    },
    async sock_send(fd: number, list: number, count: number, _flags: number, out: number) {
      memory.require(out, 4);
      memory.write32(out, await socketAt(guest, fd).sendTo(gather(guest, list, count), null));
    },
    async sock_shutdown(fd: number, how: number) {
      if (how < 1 || how > 3) throw new CallRefused('EINVAL');
      // What still comes is not read: that is all that ending the reading side would do.
      if ((how & SHUT_WRITE) !== 0) await socketAt(guest, fd).shutdown();
      else socketAt(guest, fd);
    },
  } satisfies Readonly<
    Record<
      Extract<ImportsAnswered<Wasi, 'waits'>, `sock_${string}`>,
      (...args: never[]) => void | Promise<void>
    >
  >;
}

import type { TLSSocket } from 'node:tls';

/** Bytes of a "remaining length" at most (MQTT 3.1.1 §2.2.3). */
const MOST_LENGTH_BYTES = 4;

/** Follows the heads of MQTT packets through a stream, however it is cut into chunks. */
class PacketLimit {
  readonly #most: number;
  /** Bytes of the current packet's body that are still to come. */
  #left = 0;
  #isInLength = false;
  #length = 0;
  #lengthBytes = 0;

  /** `most`: the largest remaining length, in bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes the next chunk; false at the head of a packet that is too large, and from then on the stream is lost. */
  accepts(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
      } else {
        if (!this.#takesHeadByte(chunk[at] ?? 0)) return false;
        at += 1;
      }
    }
    return true;
  }

  #takesHeadByte(byte: number): boolean {
    if (!this.#isInLength) {
      this.#isInLength = true;
      this.#length = 0;
      this.#lengthBytes = 0;
      return true;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    if (byte < 0x80) {
      this.#isInLength = false;
      this.#left = this.#length;
    }
    return this.#length <= this.#most && (byte < 0x80 || this.#lengthBytes < MOST_LENGTH_BYTES);
  }
}

/**
 * Ends the connection at the head of a packet larger than `most` bytes; the parser behind it would gather up to
 * 256 MiB before anybody could refuse them. `onRefused` hears of it. It stands in the socket's own `read`, since a
 * stream between the two would need an owner for its errors.
 */
export function limitPackets(socket: TLSSocket, most: number, onRefused: () => void): void {
  const limit = new PacketLimit(most);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!(chunk instanceof Uint8Array) || limit.accepts(chunk)) return chunk;
    onRefused();
    socket.destroy();
    return null;
  };
}

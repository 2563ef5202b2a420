/** What a stub takes from a debugger's connection: a packet, an acknowledgement, or Ctrl-C. */
export type Incoming =
  | { readonly kind: 'packet'; readonly text: string }
  /** Its checksum is wrong: to be sent again. */
  | { readonly kind: 'garbled' }
  | { readonly kind: 'again' }
  | { readonly kind: 'interrupt' };

/** Bytes of a packet at most, its frame left out; told to the debugger as `PacketSize`. */
export const MOST_PACKET = 0x4000;

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const INTERRUPT = 0x03;
const MINUS = 0x2d;

/**
 * Cuts a stream of bytes into the packets of GDB's remote serial protocol (GDB manual, E.1). What is no packet is
 * skipped; one that is too long is garbled.
 */
export class PacketReader {
  #body: number[] | null = null;
  #checksum: number[] | null = null;

  /** Takes bytes as they come; gives what they complete. */
  read(bytes: Uint8Array): readonly Incoming[] {
    const found: Incoming[] = [];
    for (const byte of bytes) {
      const one = this.#take(byte);
      if (one !== null) found.push(one);
    }
    return found;
  }

  #take(byte: number): Incoming | null {
    if (this.#checksum !== null) {
      this.#checksum.push(byte);
      return this.#checksum.length < 2 ? null : this.#complete();
    }
    if (this.#body === null) {
      if (byte === DOLLAR) this.#body = [];
      else if (byte === INTERRUPT) return { kind: 'interrupt' };
      else if (byte === MINUS) return { kind: 'again' };
      return null;
    }
    if (byte === HASH) this.#checksum = [];
    else if (byte === DOLLAR) this.#body = [];
    else if (this.#body.length < MOST_PACKET) this.#body.push(byte);
    // One byte too many is enough for the checksum to be wrong, or to be seen.
    else this.#body[MOST_PACKET] = byte;
    return null;
  }

  #complete(): Incoming {
    const body = this.#body ?? [];
    const said = Number.parseInt(String.fromCharCode(...(this.#checksum ?? [])), 16);
    this.#body = null;
    this.#checksum = null;
    if (body.length > MOST_PACKET || said !== sumOf(body)) return { kind: 'garbled' };
    return { kind: 'packet', text: unescaped(body) };
  }
}

/** A packet as it goes over the wire: characters of one byte each. */
export function framePacket(text: string): Uint8Array {
  const body: number[] = [];
  for (const letter of text) {
    const byte = letter.charCodeAt(0) & 0xff;
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === 0x2a) body.push(ESCAPE, byte ^ 0x20);
    else body.push(byte);
  }
  const sum = sumOf(body).toString(16).padStart(2, '0');
  return Uint8Array.of(DOLLAR, ...body, HASH, sum.charCodeAt(0), sum.charCodeAt(1));
}

const sumOf = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);

function unescaped(body: readonly number[]): string {
  let text = '';
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] ?? 0;
    text += String.fromCharCode(byte === ESCAPE ? (body[++index] ?? 0) ^ 0x20 : byte);
  }
  return text;
}

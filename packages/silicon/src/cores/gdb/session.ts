import { SiliconError } from '../../errors.ts';
import type { CoreDebugger, DebugStop, WatchKind } from '../core-debugger.ts';
import { framePacket, MOST_PACKET, PacketReader } from './packets.ts';
import { REGISTERS, registerText, TARGET_XML } from './registers.ts';

/** What a session needs: a hold on a core, and where its bytes go. */
interface GdbSessionParts {
  readonly target: CoreDebugger;
  readonly send: (bytes: Uint8Array) => void;
  /** Makes a change for the core, at a moment when its chip expects one. */
  readonly change: (change: () => void) => void;
  /** The debugger has let go, by `detach` or `kill`. */
  readonly onEnd: () => void;
}

const MOST_BYTES = (MOST_PACKET - 16) / 2;
const WATCH_KINDS: Readonly<Record<string, WatchKind>> = { 2: 'write', 3: 'read', 4: 'access' };
const WATCH_NAMES = { write: 'watch', read: 'rwatch', access: 'awatch' } as const;
const SUPPORTED =
  `PacketSize=${MOST_PACKET.toString(16)};qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;` +
  'vContSupported+;ReverseStep+;ReverseContinue+';

/**
 * A conversation with GDB about one core (remote serial protocol, GDB manual appendix E): registers, memory,
 * breakpoints, watchpoints, steps, forwards and back. What it does not know it answers with an empty packet, what
 * cannot be done with an error; nothing that comes over the wire is an exception here.
 */
export class GdbSession {
  readonly #parts: GdbSessionParts;
  readonly #reader = new PacketReader();
  #hasAcks = true;
  #isRunning = false;
  #last = '';
  #stop: DebugStop = { kind: 'interrupt' };

  constructor(parts: GdbSessionParts) {
    this.#parts = parts;
  }

  /** Takes bytes of the connection as they come. */
  receive(bytes: Uint8Array): void {
    for (const incoming of this.#reader.read(bytes)) {
      if (incoming.kind === 'interrupt') this.#parts.change(() => this.#parts.target.interrupt());
      else if (incoming.kind === 'again') this.#parts.send(framePacket(this.#last));
      else if (incoming.kind === 'garbled') this.#acknowledge('-');
      else {
        this.#acknowledge('+');
        this.#answer(incoming.text);
      }
    }
  }

  #acknowledge(sign: '+' | '-'): void {
    if (this.#hasAcks) this.#parts.send(Uint8Array.of(sign.charCodeAt(0)));
  }

  #reply(text: string): void {
    this.#last = text;
    this.#parts.send(framePacket(text));
  }

  #answer(packet: string): void {
    // Until the core has stopped a debugger says nothing but Ctrl-C.
    if (this.#isRunning) return;
    try {
      const reply = this.#carryOut(packet);
      if (reply !== null) this.#reply(reply);
    } catch (error) {
      if (!(error instanceof SiliconError)) throw error;
      this.#reply(error.code === 'OutOfRange' ? 'E0e' : 'E16');
    }
  }

  /** The answer; null where it comes later or is none. */
  #carryOut(packet: string): string | null {
    const { target } = this.#parts;
    const rest = packet.slice(1);
    switch (packet.slice(0, 1)) {
      case '?':
        return stopText(this.#stop);
      case 'g':
        return REGISTERS.map((each) => registerText(each, target.core)).join('');
      case 'p':
        return this.#register(rest);
      case 'P':
        return this.#setRegister(rest);
      case 'm':
        return this.#readMemory(rest);
      case 'M':
      case 'X':
        return this.#writeMemory(rest, packet[0] === 'X');
      case 'Z':
      case 'z':
        return this.#point(rest, packet[0] === 'Z');
      case 's':
        return this.#go('step', rest);
      case 'c':
        return this.#go('resume', rest);
      case 'b':
        return rest === 's' ? this.#go('stepBack', '') : rest === 'c' ? this.#go('runBack', '') : '';
      case 'v':
        return this.#verbose(packet);
      case 'q':
      case 'Q':
        return this.#query(packet);
      case 'H':
      case 'T':
        return 'OK';
      case 'D':
        this.#reply('OK');
        this.#parts.onEnd();
        return null;
      case 'k':
        this.#parts.onEnd();
        return null;
      default:
        return '';
    }
  }

  #query(packet: string): string {
    if (packet.startsWith('qSupported')) return SUPPORTED;
    if (packet === 'QStartNoAckMode') {
      this.#hasAcks = false;
      return 'OK';
    }
    if (packet === 'qAttached') return '1';
    if (packet === 'qC') return 'QC1';
    if (packet === 'qfThreadInfo') return 'm1';
    if (packet === 'qsThreadInfo') return 'l';
    const part = /^qXfer:features:read:target\.xml:([0-9a-f]{1,8}),([0-9a-f]{1,8})$/u.exec(packet);
    if (part === null) return '';
    const [from, length] = [hex(part[1]), Math.min(hex(part[2]), MOST_BYTES)];
    const isLast = from + length >= TARGET_XML.length;
    return `${isLast ? 'l' : 'm'}${TARGET_XML.slice(from, from + length)}`;
  }

  #verbose(packet: string): string | null {
    if (packet === 'vCont?') return 'vCont;c;C;s;S';
    const action = /^vCont;([cs])/iu.exec(packet);
    if (action === null) return '';
    return this.#go(action[1]?.toLowerCase() === 's' ? 'step' : 'resume', '');
  }

  #go(how: 'step' | 'resume' | 'stepBack' | 'runBack', address: string): null {
    const { target, change } = this.#parts;
    if (address !== '') target.setRegister(15, hex(address));
    const told = (stop: DebugStop): void => {
      this.#isRunning = false;
      this.#stop = stop;
      this.#reply(stopText(stop));
    };
    this.#isRunning = true;
    change(() => {
      try {
        if (how === 'resume') target.resume(told);
        else told(target[how]());
      } catch (error) {
        this.#isRunning = false;
        throw error;
      }
    });
    return null;
  }

  #register(rest: string): string {
    const register = REGISTERS[hex(rest)];
    return register === undefined ? 'E0e' : registerText(register, this.#parts.target.core);
  }

  #setRegister(rest: string): string {
    const fields = /^([0-9a-f]{1,4})=([0-9a-f]{8})$/iu.exec(rest);
    const index = REGISTERS[hex(fields?.[1])]?.index;
    if (fields === null || index === undefined) return 'E0e';
    const [a, b, c, d] = bytesOf(fields[2] ?? '');
    this.#parts.target.setRegister(index, (a ?? 0) | ((b ?? 0) << 8) | ((c ?? 0) << 16) | ((d ?? 0) << 24));
    return 'OK';
  }

  #readMemory(rest: string): string {
    const fields = /^([0-9a-f]{1,8}),([0-9a-f]{1,8})$/iu.exec(rest);
    const length = hex(fields?.[2]);
    if (fields === null || length > MOST_BYTES) return 'E16';
    const bytes = length === 0 ? new Uint8Array(0) : this.#parts.target.read(hex(fields[1]), length);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  #writeMemory(rest: string, isBinary: boolean): string {
    const fields = /^([0-9a-f]{1,8}),([0-9a-f]{1,8}):/iu.exec(rest);
    const data = rest.slice(fields?.[0].length ?? 0);
    const bytes = isBinary ? Uint8Array.from(data, (letter) => letter.charCodeAt(0)) : bytesOf(data);
    if (fields === null || bytes.length !== hex(fields[2])) return 'E16';
    if (bytes.length > 0) this.#parts.target.write(hex(fields[1]), bytes);
    return 'OK';
  }

  #point(rest: string, isSet: boolean): string {
    const fields = /^([0-4]),([0-9a-f]{1,8}),([0-9a-f]{1,4})/iu.exec(rest);
    if (fields === null) return 'E16';
    const { target } = this.#parts;
    const [kind = '', address, length] = [fields[1], hex(fields[2]), hex(fields[3])];
    const watched = WATCH_KINDS[kind];
    if (watched === undefined) {
      if (isSet) target.setBreakpoint(address);
      else target.clearBreakpoint(address);
    } else if (isSet) target.setWatchpoint(watched, address, length);
    else target.clearWatchpoint(watched, address, length);
    return 'OK';
  }
}

const hex = (text: string | undefined): number =>
  text === undefined || !/^[0-9a-f]+$/iu.test(text) ? NaN : Number.parseInt(text, 16);

function bytesOf(text: string): Uint8Array {
  const pairs = /^([0-9a-f]{2})*$/iu.test(text) ? (text.match(/../gu) ?? []) : [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

/** SIGTRAP, SIGINT or SIGSEGV, and what was met. */
function stopText(stop: DebugStop): string {
  switch (stop.kind) {
    case 'watch':
      return `T05${WATCH_NAMES[stop.watched]}:${stop.address.toString(16)};thread:1;`;
    case 'breakpoint':
      return 'T05swbreak:;thread:1;';
    case 'begin':
      return 'T05replaylog:begin;thread:1;';
    case 'interrupt':
      return 'T02thread:1;';
    case 'failed':
      return 'T0bthread:1;';
    case 'step':
      break;
  }
  return 'T05thread:1;';
}

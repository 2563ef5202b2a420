import {
  CORE_FAULT_REGISTERS,
  CORE_REGISTERS,
  isBytes,
  MOST_CORE_STACK,
  viewOf,
  type CoreDump,
  type PortValue,
} from '@sevenfold/formats';
import type { ApplicationEnd } from './compartments.ts';

type Fields = { readonly [key: string]: PortValue };

/** What the instruction did that failed, by the names of CFSR's bits (DDI 0403E B3.2.15). */
const FAULTS: Readonly<Record<string, string>> = {
  IACCVIOL: 'execution not allowed',
  DACCVIOL: 'access not allowed',
  IBUSERR: 'bus fault on an instruction',
  PRECISERR: 'bus fault',
  UNDEFINSTR: 'undefined instruction',
  INVSTATE: 'invalid state',
  INVPC: 'invalid return from an exception',
  NOCP: 'floating-point unit is off',
  UNALIGNED: 'unaligned access',
  DIVBYZERO: 'integer divide by zero',
  BKPT: 'breakpoint',
};
/** Where it is an address that counts: BFAR, MMFAR. */
const ADDRESS_OF: Readonly<Record<string, string>> = { PRECISERR: 'bfar', DACCVIOL: 'mmfar' };

const numberIn = (fields: Fields, name: string): number => Number(fields[name] ?? 0) >>> 0;

/** What the program itself says of its end: its words, as far as they are words. */
function noteIn(fields: Fields): string | null {
  // A record of the monitor, or null.
  const note = fields['note'] as Fields | null | undefined;
  if (note === null || note === undefined) return null;
  const { kind, text, line } = note;
  if (kind === 'interrupt') return `nobody attached exception ${Number(line) >>> 0}`;
  const what = (typeof text === 'string' ? text : '').replaceAll(/[^ -~]/g, '?');
  if (kind === 'stack') return `stack of ${what === '' ? 'main' : `task ${what}`} is too small`;
  return `assertion failed: ${what}${Number(line) > 0 ? `, line ${Number(line) >>> 0}` : ''}`;
}

function trapOf(fields: Fields): string {
  const note = noteIn(fields);
  if (note !== null) return note;
  const { kind, fault } = fields;
  if (kind === 'watchdog') return 'watchdog';
  if (typeof fault !== 'string') return kind === 'reset' ? 'reset by the program' : 'lockup';
  const address = ADDRESS_OF[fault];
  const place =
    address === undefined ? '' : ` at 0x${numberIn(fields, address).toString(16).padStart(8, '0')}`;
  // What else there is fails while registers are stacked.
  const what = `${FAULTS[fault] ?? `fault on the stack (${fault})`}${place}`;
  return kind === 'lockup' ? `${what} (lockup)` : what;
}

/** Words that nobody but the stack's own rules needs: addresses of code, of the stack itself, and EXC_RETURN. */
const CODE: readonly (readonly [from: number, to: number])[] = [
  [0x0010_0000, 0x0013_0000],
  [0x1000_0000, 0x1010_0000],
];
const EXCEPTION_RETURN = 0xffff_ffe1;
const SP = CORE_REGISTERS.indexOf('sp');

/**
 * A dump of an app that did not agree to snapshots of its memory: of its stack only what it takes to say who called
 * whom. What else was there, data of the app and of those whom it serves, stays on the device.
 */
export function withoutData(dump: CoreDump): CoreDump {
  const { registers, stack } = dump;
  const bare = new Uint8Array(stack.length);
  const [from, to] = [viewOf(stack), viewOf(bare)];
  const base = registers[SP] ?? 0;
  for (let at = 0; at + 4 <= stack.length; at += 4) {
    const word = from.getUint32(at, true);
    const isCode = CODE.some(([first, end]) => word >= first && word < end);
    const isPlace = word >= base && word <= base + stack.length;
    if (isCode || isPlace || word >= EXCEPTION_RETURN) to.setUint32(at, word, true);
  }
  return { ...dump, stack: bare };
}

/** How an app on a real-time core ended, from what the hardware says of its failure. */
export function describeFailure(failure: PortValue): ApplicationEnd {
  // A record of the monitor, which lies beneath us.
  const fields = failure as Fields;
  const words: readonly PortValue[] = Array.isArray(fields['registers']) ? fields['registers'] : [];
  const registers = [...words, ...['xpsr', 'msp', 'psp', 'control'].map((name) => fields[name])].map(
    (word) => Number(word ?? 0) >>> 0,
  );
  const { stack } = fields;
  const core: CoreDump = {
    registers,
    faults: CORE_FAULT_REGISTERS.map((name) => numberIn(fields, name)),
    stack: isBytes(stack) ? stack.slice(0, MOST_CORE_STACK) : new Uint8Array(0),
  };
  return { kind: 'trap', trap: trapOf(fields), frames: [{ function: 0, offset: registers[15] ?? 0 }], core };
}

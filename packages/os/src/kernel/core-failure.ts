import {
  CORE_FAULT_REGISTERS,
  isBytes,
  MOST_CORE_STACK,
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

function trapOf(fields: Fields): string {
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

import type { Operands } from './builder.ts';
import type { Instruction } from './decoder.ts';

const CONDITIONS = ['eq', 'ne', 'cs', 'cc', 'mi', 'pl', 'vs', 'vc', 'hi', 'ls', 'ge', 'lt', 'gt', 'le', ''];
const SHIFTS = ['', 'lsl', 'lsr', 'asr', 'ror', 'rrx', 'lsr', 'asr'];
const SYSTEM_REGISTERS: Readonly<Record<number, string>> = {
  0: 'apsr',
  1: 'iapsr',
  2: 'eapsr',
  3: 'xpsr',
  5: 'ipsr',
  6: 'epsr',
  7: 'iepsr',
  8: 'msp',
  9: 'psp',
  16: 'primask',
  17: 'basepri',
  18: 'basepri_max',
  19: 'faultmask',
  20: 'control',
};

const register = (index: number): string =>
  index < 13 ? `r${index}` : (['sp', 'lr', 'pc'][index - 13] ?? '');
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** `{r0-r3, lr}` of bits. */
function listOf(list: number): string {
  const parts: string[] = [];
  for (let first = 0; first < 16; first++) {
    if (((list >>> first) & 1) === 0) continue;
    let last = first;
    while (last < 12 && (list >>> (last + 1)) & 1) last++;
    parts.push(first === last ? register(first) : `${register(first)}-${register(last)}`);
    first = last;
  }
  return `{${parts.join(', ')}}`;
}

/** What each `<token>` of a row's text stands for. */
const TOKENS: Readonly<Record<string, (o: Operands, at: Place) => string>> = {
  '.': (o) => (o['s'] === 1 ? 's' : ''),
  list: (o) => listOf(o['l'] ?? 0),
  shift: (o) => shiftText(o),
  shiftj: (o) => `#${amountOf(o)}`,
  bt: (o) => (o['b'] === 1 ? 'tb' : 'bt'),
  width: (o) => String((o['i'] ?? 0) + 1),
  msbwidth: (o) => String((o['i'] ?? 0) - (o['j'] ?? 0) + 1),
  ic: (o) => (o['z'] === 1 ? 'c' : 'i'),
  a: (o) => ('n' in o && !('a' in o) ? 'a' : 'a' in o ? 'a' : ''),
  addn: (o) => ('n' in o ? `${register(o['n'] ?? 0)}, ` : ''),
  acc: (o) => ('a' in o ? `, ${register(o['a'] ?? 0)}` : ''),
  mulmla: (o) => ('a' in o ? 'la' : 'ul'),
  mullma: (o) => ('a' in o ? 'la' : 'ul'),
  dualadd: (o) => ('a' in o ? 'lad' : 'uad'),
  dualsub: (o) => ('a' in o ? 'lsd' : 'usd'),
  xy: (o) => `${o['x'] === 1 ? 't' : 'b'}${o['y'] === 1 ? 't' : 'b'}`,
  y: (o) => (o['y'] === 1 ? 't' : 'b'),
  cross: (o) => (o['x'] === 1 ? 'x' : ''),
  r: (o) => (o['r'] === 1 ? 'r' : ''),
  sat: (o, at) => String((o['i'] ?? 0) + (at.instruction.row.asm.startsWith('ssat') ? 1 : 0)),
  satshift: (o) => ((o['j'] ?? 0) === 0 ? '' : `, ${o['h'] === 1 ? 'asr' : 'lsl'} #${o['j'] ?? 0}`),
  T: (o) => (o['p'] === 9 ? 't' : ''),
  indexed: (o) => indexedText(o),
  literal: (o) => `#${o['i'] ?? 0}`,
  '!': (o) => (o['w'] === 0 ? '' : '!'),
  '!p': (o) => ((o['p'] ?? 0) & 1 ? '!' : ''),
  iadb: (o) => (o['p'] === 5 ? 'db' : 'ia'),
  floats: (o, at) => floatsText(o, at),
  DD: (o) => `d${(o['D'] ?? 0) >> 1}`,
  fixed: (o) => (o['z'] === 1 ? '32' : '16'),
  fraction: (o) => String(o['i'] ?? 0),
  float: (o) => floatText(o['i'] ?? 0),
  scalar: (o) => `d${(o['D'] ?? 0) >> 1}[${(o['D'] ?? 0) & 1}]`,
  pair: (o, at) =>
    at.instruction.row.name.includes('double')
      ? `d${(o['M'] ?? 0) >> 1}`
      : `s${o['M'] ?? 0}, s${(o['M'] ?? 0) + 1}`,
  tapsr: (o) => (o['t'] === undefined ? 'APSR_nzcv' : register(o['t'])),
  nz: (o) => (o['z'] === 1 ? 'nz' : 'z'),
  target: (o, at) => hex(at.address + 4 + (o['i'] ?? 0)),
  cond: (o) => CONDITIONS[o['c'] ?? 14] ?? '',
  firstcond: (o) => CONDITIONS[o['c'] ?? 14] || 'al',
  xyz: (o) => itText(o),
  ied: (o) => (o['e'] === 1 ? 'id' : 'ie'),
  if: (o) => `${o['x'] === 1 ? 'i' : ''}${o['f'] === 1 ? 'f' : ''}`,
  sysreg: (o) => SYSTEM_REGISTERS[o['x'] ?? 0] ?? '',
};

interface Place {
  readonly instruction: Instruction;
  readonly address: number;
}

const amountOf = (o: Operands): number => (o['k'] === 6 || o['k'] === 7 ? 32 : (o['j'] ?? 0));

function shiftText(o: Operands): string {
  const kind = o['k'] ?? 0;
  if (kind === 0) return '';
  return kind === 5 ? ', rrx' : `, ${SHIFTS[kind] ?? ''} #${amountOf(o)}`;
}

function indexedText(o: Operands): string {
  const p = o['p'] ?? 0;
  const base = register(o['n'] ?? 0);
  const offset = `#${p & 2 || p === 9 ? '' : '-'}${o['i'] ?? 0}`;
  if (p === 9) return `[${base}, ${offset}]`;
  if ((p & 4) === 0) return `[${base}], ${offset}`;
  return `[${base}, ${offset}]${p & 1 ? '!' : ''}`;
}

function floatsText(o: Operands, { instruction }: Place): string {
  const words = o['l'] ?? 0;
  const first = o['D'] ?? 0;
  const isDouble = instruction.row.name.endsWith('T1');
  const [letter, from, count] = isDouble ? ['d', first >> 1, words >> 1] : ['s', first, words];
  return count === 1 ? `{${letter}${from}}` : `{${letter}${from}-${letter}${from + count - 1}}`;
}

function floatText(bits: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, bits);
  return String(view.getFloat32(0));
}

/** The letters behind `it`: one for every further instruction, `t` where its condition is the first's. */
function itText(o: Operands): string {
  const condition = (o['c'] ?? 0) & 1;
  const mask = o['x'] ?? 0;
  const last = 31 - Math.clz32(mask & -mask);
  let letters = '';
  for (let bit = 3; bit > last; bit--) letters += ((mask >>> bit) & 1) === condition ? 't' : 'e';
  return letters;
}

/** An instruction as text, in unified syntax. `address` is where it stands. */
export function disassemble(instruction: Instruction, address: number): string {
  const { row, operands, condition } = instruction;
  const text = row.asm.replaceAll(/<([^>]+)>/g, (_all, token: string) => {
    const known = TOKENS[token];
    // A letter that is an operand of this row stands for it, whatever the token means elsewhere.
    const isLetter = 'dnmtu'.includes(token) || (token === 'a' && !/usad|xt/.test(row.asm));
    if (isLetter && token in operands) return register(operands[token] ?? 0);
    if ('DNM'.includes(token)) return `s${operands[token] ?? 0}`;
    if ((token === 'i' || token === 'j') && token in operands) return String(operands[token]);
    return known?.(operands, { instruction, address }) ?? '';
  });
  const [mnemonic = '', ...rest] = text.split(' ');
  const [stem = '', ...suffixes] = mnemonic.split('.');
  const suffixed = [
    stem + (condition === 14 || row.asm.includes('<cond>') ? '' : (CONDITIONS[condition] ?? '')),
  ];
  return [[...suffixed, ...suffixes].join('.'), ...rest].join(' ');
}

import { offsetBy, type Operands, type Semantics } from '../builder.ts';
import { add, and, binary, constant, eq, or, select, shl, shrU, sub, xor, type Expr } from '../ir.ts';
import { field, isBad, type Row } from './row.ts';

const SIGN = 0x8000_0000 | 0;
const negated = (x: Expr): Expr => xor(x, SIGN);

/** Register numbers of Sd, Sn, Sm from their four bits and the one beside them. */
const single = (fields: Operands): Operands => {
  const { v, x, w, y, p, q, ...rest } = fields;
  return {
    ...rest,
    ...(v === undefined ? {} : { D: v * 2 + (x ?? 0) }),
    ...(w === undefined ? {} : { N: w * 2 + (y ?? 0) }),
    ...(p === undefined ? {} : { M: p * 2 + (q ?? 0) }),
  };
};

type Arithmetic = readonly [name: string, opcode: string, operation: string, does: (b: Semantics) => Expr];
const product = (b: Semantics): Expr => b.float('mul', b.s('N'), b.s('M'));
const ARITHMETIC: readonly Arithmetic[] = [
  ['vmla', '0x00', '0', (b) => b.float('add', b.s('D'), product(b))],
  ['vmls', '0x00', '1', (b) => b.float('add', b.s('D'), negated(product(b)))],
  ['vnmls', '0x01', '0', (b) => b.float('add', negated(b.s('D')), product(b))],
  ['vnmla', '0x01', '1', (b) => b.float('add', negated(b.s('D')), negated(product(b)))],
  ['vmul', '0x10', '0', product],
  ['vnmul', '0x10', '1', (b) => negated(product(b))],
  ['vadd', '0x11', '0', (b) => b.float('add', b.s('N'), b.s('M'))],
  ['vsub', '0x11', '1', (b) => b.float('sub', b.s('N'), b.s('M'))],
  ['vdiv', '1x00', '0', (b) => b.float('div', b.s('N'), b.s('M'))],
  ['vfnms', '1x01', '0', (b) => b.float('fma', negated(b.s('D')), b.s('N'), b.s('M'))],
  ['vfnma', '1x01', '1', (b) => b.float('fma', negated(b.s('D')), negated(b.s('N')), b.s('M'))],
  ['vfma', '1x10', '0', (b) => b.float('fma', b.s('D'), b.s('N'), b.s('M'))],
  ['vfms', '1x10', '1', (b) => b.float('fma', b.s('D'), negated(b.s('N')), b.s('M'))],
];

const arithmetic: readonly Row[] = ARITHMETIC.map(([name, opcode, operation, does]) => ({
  name: `${name.toUpperCase()} T2`,
  bits: `11101110${opcode}wwww vvvv1010y${operation}q0pppp`,
  asm: `${name}.f32 <D>, <N>, <M>`,
  decode: single,
  does: (b) => {
    b.floatGate();
    b.setS('D', does(b));
  },
}));

type Monadic = readonly [asm: string, code: string, does: (b: Semantics) => Expr];
const MONADIC: readonly Monadic[] = [
  ['vmov.f32', '0000 vvvv101001', (b) => b.s('M')],
  ['vabs.f32', '0000 vvvv101011', (b) => and(b.s('M'), ~SIGN)],
  ['vneg.f32', '0001 vvvv101001', (b) => negated(b.s('M'))],
  ['vsqrt.f32', '0001 vvvv101011', (b) => b.float('sqrt', b.s('M'))],
  ['vcvt.f32.u32', '1000 vvvv101001', (b) => b.float('fromInteger', b.s('M'), constant(0))],
  ['vcvt.f32.s32', '1000 vvvv101011', (b) => b.float('fromInteger', b.s('M'), constant(1))],
  ['vcvtr.u32.f32', '1100 vvvv101001', (b) => b.float('toInteger', b.s('M'), constant(0), constant(0))],
  ['vcvt.u32.f32', '1100 vvvv101011', (b) => b.float('toInteger', b.s('M'), constant(0), constant(1))],
  ['vcvtr.s32.f32', '1101 vvvv101001', (b) => b.float('toInteger', b.s('M'), constant(1), constant(0))],
  ['vcvt.s32.f32', '1101 vvvv101011', (b) => b.float('toInteger', b.s('M'), constant(1), constant(1))],
];
const monadic: readonly Row[] = MONADIC.map(([asm, code, does]) => ({
  name: `${asm.toUpperCase()} (register)`,
  bits: `111011101x11${code}q0pppp`,
  asm: `${asm} <D>, <M>`,
  decode: single,
  does: (b) => {
    b.floatGate();
    b.setS('D', does(b));
  },
}));

/** VFPExpandImm (A6.4.1) for single precision. */
function expandFloat(code: number): number {
  const sign = code >>> 7;
  const b6 = (code >>> 6) & 1;
  const exponent = ((b6 ^ 1) << 7) | (b6 ? 0x7c : 0) | ((code >>> 4) & 3);
  return (sign << 31) | (exponent << 23) | ((code & 0xf) << 19);
}

const others: readonly Row[] = [
  {
    name: 'VMOV (immediate) T1',
    bits: '111011101x11iiii vvvv10100000iiii',
    asm: 'vmov.f32 <D>, #<float>',
    decode: (fields) => single({ ...fields, i: expandFloat(field(fields, 'i')) }),
    does: (b) => {
      b.floatGate();
      b.setS('D', b.imm('i'));
    },
  },
  ...(['b', 't'] as const).flatMap((place, top): Row[] => [
    {
      name: `VCVT${place.toUpperCase()} T1, half to single`,
      bits: `111011101x110010 vvvv1010${top}1q0pppp`,
      asm: `vcvt${place}.f32.f16 <D>, <M>`,
      decode: single,
      does: (b) => {
        b.floatGate();
        b.setS('D', b.float('halfToSingle', and(shrU(b.s('M'), 16 * top), 0xffff)));
      },
    },
    {
      name: `VCVT${place.toUpperCase()} T1, single to half`,
      bits: `111011101x110011 vvvv1010${top}1q0pppp`,
      asm: `vcvt${place}.f16.f32 <D>, <M>`,
      decode: single,
      does: (b) => {
        b.floatGate();
        const half = b.float('singleToHalf', b.s('M'));
        const kept = and(b.s('D'), top === 1 ? 0xffff : ~0xffff);
        b.setS('D', or(kept, shl(half, 16 * top)));
      },
    },
  ]),
  ...(['vcmp', 'vcmpe'] as const).flatMap((asm, signals): Row[] => [
    {
      name: `${asm.toUpperCase()} T1`,
      bits: `111011101x110100 vvvv1010${signals}1q0pppp`,
      asm: `${asm}.f32 <D>, <M>`,
      decode: single,
      does: (b) => {
        b.floatGate();
        b.float('compare', b.s('D'), b.s('M'), constant(signals));
      },
    },
    {
      name: `${asm.toUpperCase()} T2`,
      bits: `111011101x110101 vvvv1010${signals}1000000`,
      asm: `${asm}.f32 <D>, #0.0`,
      decode: single,
      does: (b) => {
        b.floatGate();
        b.float('compare', b.s('D'), constant(0), constant(signals));
      },
    },
  ]),
  ...(['s', 'u'] as const).flatMap((sign, isUnsigned): Row[] => [
    {
      name: `VCVT (from ${sign} fixed-point) T1`,
      bits: `111011101x11101${isUnsigned} vvvv1010z1i0jjjj`,
      asm: `vcvt.f32.${sign}<fixed> <D>, <D>, #<fraction>`,
      decode: (fields) => decodeFixed(fields),
      does: (b, o) => {
        b.floatGate();
        const size = o['z'] === 1 ? 32 : 16;
        const raw = b.s('D');
        const wide = size === 32 ? raw : narrowed(raw, isUnsigned === 0);
        b.setS('D', b.float('fromFixed', wide, constant(1 - isUnsigned), b.imm('i')));
      },
    },
    {
      name: `VCVT (to ${sign} fixed-point) T1`,
      bits: `111011101x11111${isUnsigned} vvvv1010z1i0jjjj`,
      asm: `vcvt.${sign}<fixed>.f32 <D>, <D>, #<fraction>`,
      decode: (fields) => decodeFixed(fields),
      does: (b, o) => {
        b.floatGate();
        const size = o['z'] === 1 ? 32 : 16;
        b.setS('D', b.float('toFixed', b.s('D'), constant(1 - isUnsigned), b.imm('i'), constant(size)));
      },
    },
  ]),
];

const narrowed = (x: Expr, isSigned: boolean): Expr =>
  isSigned ? { kind: 'unary', op: 'sext16', a: x } : and(x, 0xffff);

function decodeFixed(fields: Operands): Operands | 'unpredictable' {
  const size = field(fields, 'z') === 1 ? 32 : 16;
  const fraction = size - (field(fields, 'j') * 2 + field(fields, 'i'));
  if (fraction < 0) return 'unpredictable';
  return single({ v: field(fields, 'v'), x: field(fields, 'x'), z: field(fields, 'z'), i: fraction });
}

/** Where a load or store of FP registers goes: `i` already in bytes. */
const base = (b: Semantics, o: Operands): Expr => (o['n'] === 15 ? b.pcAligned() : b.r('n'));

const transfers: readonly Row[] = [
  ...([0, 1] as const).flatMap((isDouble): Row[] => {
    const places = isDouble === 1 ? [0, 1] : [0];
    const registers = (fields: Operands): Operands | 'unpredictable' => {
      const i = field(fields, 'u') === 1 ? field(fields, 'i') * 4 : -field(fields, 'i') * 4;
      const v = field(fields, 'v');
      const x = field(fields, 'x');
      if (isDouble === 1 && x === 1) return 'unpredictable';
      return { D: v * 2 + x, n: field(fields, 'n'), i };
    };
    const letter = isDouble === 1 ? '<DD>' : '<D>';
    return [
      {
        name: `VLDR ${isDouble === 1 ? 'T1' : 'T2'}`,
        bits: `11101101ux01nnnn vvvv101${isDouble}iiiiiiii`,
        asm: `vldr ${letter}, [<n>, #<i>]`,
        decode: registers,
        does: (b, o) => {
          b.floatGate();
          const address = b.let(add(base(b, o), b.imm('i')));
          b.guard(and(address, 3), 'UNALIGNED');
          const values = places.map((place) => b.load(4, add(address, 4 * place)));
          for (const [place, value] of values.entries()) b.setS('D', value, place);
        },
      },
      {
        name: `VSTR ${isDouble === 1 ? 'T1' : 'T2'}`,
        bits: `11101101ux00nnnn vvvv101${isDouble}iiiiiiii`,
        asm: `vstr ${letter}, [<n>, #<i>]`,
        decode: (fields) => (field(fields, 'n') === 15 ? 'unpredictable' : registers(fields)),
        does: (b, o) => {
          b.floatGate();
          const address = b.let(add(base(b, o), b.imm('i')));
          b.guard(and(address, 3), 'UNALIGNED');
          for (const place of places) b.store(4, add(address, 4 * place), b.s('D', place));
        },
      },
      ...([1, 0] as const).map((isLoad): Row => ({
        name: `${isLoad === 1 ? 'VLDM' : 'VSTM'} ${isDouble === 1 ? 'T1' : 'T2'}`,
        bits: `1110110ppxp${isLoad}nnnn vvvv101${isDouble}iiiiiiii`,
        asm: `v${isLoad === 1 ? 'ld' : 'st'}m<iadb> <n><!p>, <floats>`,
        decode: (fields) => {
          const p = field(fields, 'p');
          // p: before, upwards, write-back. 010 and 011 ascend, 101 descends; others are other instructions.
          if (p !== 0b010 && p !== 0b011 && p !== 0b101) return null;
          const words = field(fields, 'i');
          const n = field(fields, 'n');
          const x = field(fields, 'x');
          const first = field(fields, 'v') * 2 + x;
          // The odd count is FLDMX and FSTMX, deprecated.
          const isOdd = isDouble === 1 && (words % 2 === 1 || x === 1 || words > 32);
          if (words === 0 || isOdd || first + words > 32 || (n === 15 && (p & 1 || isLoad === 0)))
            return 'unpredictable';
          return { D: first, n, p, l: words };
        },
        does: (b, o) => {
          b.floatGate();
          const words = field(o, 'l');
          const start = b.let(o['p'] === 0b101 ? sub(base(b, o), 4 * words) : base(b, o));
          b.guard(and(start, 3), 'UNALIGNED');
          const indexes = Array.from({ length: words }, (_, index) => index);
          if (isLoad === 1) {
            const values = indexes.map((index) => b.load(4, add(start, 4 * index)));
            for (const [index, value] of values.entries()) b.setS('D', value, index);
          } else {
            for (const index of indexes) b.store(4, add(start, 4 * index), b.s('D', index));
          }
          if (field(o, 'p') & 1) b.set('n', offsetBy(b.r('n'), constant(4 * words), o['p'] !== 0b101));
        },
      })),
    ];
  }),
  {
    name: 'VMOV (core to single) T1',
    bits: '111011100000wwww tttt1010y0010000',
    asm: 'vmov <N>, <t>',
    decode: (fields) => (isBad(fields['t']) ? 'unpredictable' : single(fields)),
    does: (b) => {
      b.floatGate();
      b.setS('N', b.r('t'));
    },
  },
  {
    name: 'VMOV (single to core) T1',
    bits: '111011100001wwww tttt1010y0010000',
    asm: 'vmov <t>, <N>',
    decode: (fields) => (isBad(fields['t']) ? 'unpredictable' : single(fields)),
    does: (b) => {
      b.floatGate();
      b.set('t', b.s('N'));
    },
  },
  ...([0, 1] as const).map((isToCore): Row => ({
    name: isToCore === 1 ? 'VMOV (scalar to core) T1' : 'VMOV (core to scalar) T1',
    bits: `1110111000z${isToCore}vvvv tttt1011x0010000`,
    asm: isToCore === 1 ? 'vmov.32 <t>, <scalar>' : 'vmov.32 <scalar>, <t>',
    decode: (fields) => {
      if (isBad(fields['t']) || field(fields, 'x') === 1) return 'unpredictable';
      return { t: field(fields, 't'), D: field(fields, 'v') * 2 + field(fields, 'z') };
    },
    does: (b) => {
      b.floatGate();
      if (isToCore === 1) b.set('t', b.s('D'));
      else b.setS('D', b.r('t'));
    },
  })),
  ...([0, 1] as const).flatMap((isDouble) =>
    ([0, 1] as const).map((isToCore): Row => ({
      name: `VMOV (two core registers, ${isDouble === 1 ? 'double' : 'two singles'}${isToCore === 1 ? ' to core' : ''}) T1`,
      bits: `11101100010${isToCore}uuuu tttt101${isDouble}00q1pppp`,
      asm: isToCore === 1 ? 'vmov <t>, <u>, <pair>' : 'vmov <pair>, <t>, <u>',
      decode: (fields) => {
        const t = field(fields, 't');
        const u = field(fields, 'u');
        const q = field(fields, 'q');
        const M = field(fields, 'p') * 2 + q;
        if (isBad(t) || isBad(u) || (isToCore === 1 && t === u)) return 'unpredictable';
        if (isDouble === 1 ? q === 1 : M === 31) return 'unpredictable';
        return { t, u, M };
      },
      does: (b) => {
        b.floatGate();
        if (isToCore === 1) {
          b.set('t', b.s('M'));
          b.set('u', b.s('M', 1));
        } else {
          b.setS('M', b.r('t'));
          b.setS('M', b.r('u'), 1);
        }
      },
    })),
  ),
  {
    name: 'VMRS T1',
    bits: '1110111011110001 tttt101000010000',
    asm: 'vmrs <tapsr>, fpscr',
    decode: (fields) => (fields['t'] === 13 ? 'unpredictable' : fields['t'] === 15 ? {} : fields),
    does: (b, o) => {
      b.floatGate();
      const fpscr = b.get('fpscr');
      if (o['t'] !== undefined) {
        b.set('t', fpscr);
        return;
      }
      b.put('nf', fpscr);
      b.put('zf', select(eq(and(fpscr, 0x4000_0000), 0), constant(1), 0));
      b.put('cf', and(shrU(fpscr, 29), 1));
      b.put('vf', binary('shl', fpscr, 3));
    },
  },
  {
    name: 'VMSR T1',
    bits: '1110111011100001 tttt101000010000',
    asm: 'vmsr fpscr, <t>',
    isSystem: true,
    decode: (fields) => (isBad(fields['t']) ? 'unpredictable' : fields),
    does: (b) => {
      b.floatGate();
      b.system('writeFpscr', b.r('t'));
    },
  },
];

/** FPv4-SP: single-precision arithmetic, conversions and transfers. */
export const FLOAT: readonly Row[] = [...transfers, ...arithmetic, ...monadic, ...others];

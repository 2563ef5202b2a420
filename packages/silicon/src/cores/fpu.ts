import { WORD } from './state.ts';

/** Cumulative exception bits of FPSCR (A2.5.3). */
const IOC = 1;
const DZC = 2;
const OFC = 4;
const UFC = 8;
const IXC = 16;
const IDC = 128;
const AHP = 1 << 26;
const DN = 1 << 25;
const FZ = 1 << 24;
const DEFAULT_NAN = 0x7fc0_0000;
const SIGN = 0x8000_0000 | 0;
const QUIET = 0x0040_0000;

/** Rounding modes as FPSCR codes them (bits 23:22). */
const NEAREST = 0;
const PLUS = 1;
const MINUS = 2;
const ZERO = 3;

const scratch = new DataView(new ArrayBuffer(8));
const toNumber = (bits: number): number => {
  scratch.setInt32(0, bits);
  return scratch.getFloat32(0);
};
const isNaNBits = (bits: number): boolean => (bits & 0x7fff_ffff) > 0x7f80_0000;
const isSignalling = (bits: number): boolean => isNaNBits(bits) && (bits & QUIET) === 0;
const isInfinite = (bits: number): boolean => (bits & 0x7fff_ffff) === 0x7f80_0000;
const isZero = (bits: number): boolean => (bits & 0x7fff_ffff) === 0;
const isDenormal = (bits: number): boolean => (bits & 0x7f80_0000) === 0 && !isZero(bits);

/** Twice the rounding: `value` is nudged to odd where `error` says that it is not exact (Boldo and Melquiond). */
function toOdd(value: number, error: number): number {
  if (error === 0 || value === 0) return value === 0 ? error : value;
  scratch.setFloat64(0, value);
  const low = scratch.getInt32(4);
  if (low & 1) return value;
  const isAway = value > 0 === error > 0;
  if (isAway) scratch.setInt32(4, low | 1);
  else {
    scratch.setInt32(4, low - 1);
    if (low === 0) scratch.setInt32(0, scratch.getInt32(0) - 1);
  }
  return scratch.getFloat64(0);
}

/** Makes what rounding adds to a magnitude of which `rest` of `half * 2` parts are cut off. */
function roundsUp(mode: number, isNegative: boolean, { isOdd, rest, half }: Cut): boolean {
  switch (mode) {
    case NEAREST:
      return rest > half || (rest === half && isOdd);
    case PLUS:
      return !isNegative && rest > 0;
    case MINUS:
      return isNegative && rest > 0;
    default:
      return false;
  }
}
interface Cut {
  readonly isOdd: boolean;
  readonly rest: number;
  readonly half: number;
}

/**
 * FPv4-SP on bit patterns: what the Armv7-M manual writes down, over numbers of 53 bits. Every operation
 * reads its rounding mode from FPSCR and leaves its exceptions there; none ever traps.
 */
export class FloatUnit {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  #raise(bits: number): void {
    this.#words[WORD.fpscr] = (this.#words[WORD.fpscr] ?? 0) | bits;
  }

  get #fpscr(): number {
    return this.#words[WORD.fpscr] ?? 0;
  }

  get #mode(): number {
    return (this.#fpscr >>> 22) & 3;
  }

  /** An operand, a denormal one flushed where FZ says so. */
  #unpack(bits: number): number {
    if (isDenormal(bits) && this.#fpscr & FZ) {
      this.#raise(IDC);
      return bits & SIGN;
    }
    return bits;
  }

  #invalid(): number {
    this.#raise(IOC);
    return DEFAULT_NAN;
  }

  /** FPProcessNaNs: the first signalling one, else the first quiet one; `null` where none is a NaN. */
  #nan(...operands: readonly number[]): number | null {
    const found = operands.find(isSignalling) ?? operands.find(isNaNBits);
    if (found === undefined) return null;
    if (isSignalling(found)) this.#raise(IOC);
    return this.#fpscr & DN ? DEFAULT_NAN : found | QUIET;
  }

  /** FPRound to single precision: `value` is exact or rounded to odd. */
  #round(value: number, mode = this.#mode): number {
    if (value === 0) return Object.is(value, -0) ? SIGN : 0;
    scratch.setFloat64(0, value);
    const top = scratch.getInt32(0);
    const sign = top & SIGN;
    const isNegative = sign !== 0;
    const exponent = ((top >>> 20) & 0x7ff) - 1023;
    const isTiny = exponent < -126;
    if (isTiny && this.#fpscr & FZ) {
      this.#raise(UFC);
      return sign;
    }
    // The magnitude in units of its last place, exactly: scaling by a power of two loses nothing here.
    const unit = isTiny ? -149 : exponent - 23;
    const scaled = Math.abs(value) * 2 ** -unit;
    const whole = Math.floor(scaled);
    const cut = { isOdd: whole % 2 === 1, rest: scaled - whole, half: 0.5 };
    const rounded = whole + (roundsUp(mode, isNegative, cut) ? 1 : 0);
    if (cut.rest > 0) this.#raise(isTiny ? UFC | IXC : IXC);
    // The hidden bit carries into the exponent by itself.
    const biased = isTiny ? 0 : exponent + 126;
    const result = (biased * 0x80_0000 + rounded) >>> 0;
    if (exponent > 127 || result >= 0x7f80_0000) {
      this.#raise(OFC | IXC);
      const isToInfinity = mode === NEAREST || mode === (isNegative ? MINUS : PLUS);
      return sign | (isToInfinity ? 0x7f80_0000 : 0x7f7f_ffff);
    }
    return sign | result;
  }

  /** The sign of an exact zero that a sum leaves. */
  #zeroSum(a: number, b: number): number {
    if (a === b) return a;
    return this.#mode === MINUS ? SIGN : 0;
  }

  #sum(a: number, b: number): number {
    const nan = this.#nan(a, b);
    if (nan !== null) return nan;
    if (isInfinite(a)) return isInfinite(b) && a !== b ? this.#invalid() : a;
    if (isInfinite(b)) return b;
    if (isZero(a) && isZero(b)) return this.#zeroSum(a, b);
    return this.#exactSum(toNumber(a), toNumber(b));
  }

  #exactSum(x: number, y: number): number {
    const sum = x + y;
    const part = sum - x;
    const error = x - (sum - part) + (y - part);
    const odd = toOdd(sum, error);
    if (odd === 0) return this.#mode === MINUS ? SIGN : 0;
    return this.#round(odd);
  }

  add(a: number, b: number): number {
    return this.#sum(this.#unpack(a), this.#unpack(b));
  }

  sub(a: number, b: number): number {
    const x = this.#unpack(a);
    const y = this.#unpack(b);
    return isNaNBits(x) || isNaNBits(y) ? (this.#nan(x, y) ?? 0) : this.#sum(x, y ^ SIGN);
  }

  mul(first: number, second: number): number {
    const a = this.#unpack(first);
    const b = this.#unpack(second);
    const nan = this.#nan(a, b);
    if (nan !== null) return nan;
    const sign = (a ^ b) & SIGN;
    if (isInfinite(a) || isInfinite(b)) {
      return isZero(a) || isZero(b) ? this.#invalid() : sign | 0x7f80_0000;
    }
    return this.#round(toNumber(a) * toNumber(b));
  }

  div(first: number, second: number): number {
    const a = this.#unpack(first);
    const b = this.#unpack(second);
    const nan = this.#nan(a, b);
    if (nan !== null) return nan;
    const sign = (a ^ b) & SIGN;
    if (isInfinite(a)) return isInfinite(b) ? this.#invalid() : sign | 0x7f80_0000;
    if (isInfinite(b)) return sign;
    if (isZero(b)) {
      if (isZero(a)) return this.#invalid();
      this.#raise(DZC);
      return sign | 0x7f80_0000;
    }
    if (isZero(a)) return sign;
    const x = toNumber(a);
    const y = toNumber(b);
    // The quotient cut to 28 bits: times the divisor's 24 it is exact, and so is what is left.
    const quotient = cutLow(x / y);
    const rest = x - quotient * y;
    return this.#round(toOdd(quotient, y > 0 ? rest : -rest));
  }

  sqrt(operand: number): number {
    const a = this.#unpack(operand);
    const nan = this.#nan(a);
    if (nan !== null) return nan;
    if (isZero(a)) return a;
    if (a < 0) return this.#invalid();
    if (isInfinite(a)) return a;
    const x = toNumber(a);
    const root = cutLow(Math.sqrt(x));
    // 26 bits squared are exact.
    return this.#round(toOdd(root, x - root * root));
  }

  /** `addend + a * b` with one rounding. */
  fma(third: number, first: number, second: number): number {
    const c = this.#unpack(third);
    const a = this.#unpack(first);
    const b = this.#unpack(second);
    const isBadProduct = (isInfinite(a) && isZero(b)) || (isZero(a) && isInfinite(b));
    if (isBadProduct && isNaNBits(c) && !isSignalling(c)) return this.#invalid();
    const nan = this.#nan(c, a, b);
    if (nan !== null) return nan;
    const sign = (a ^ b) & SIGN;
    const isInfiniteProduct = isInfinite(a) || isInfinite(b);
    if (isBadProduct || (isInfinite(c) && isInfiniteProduct && (c & SIGN) !== sign)) return this.#invalid();
    if (isInfinite(c)) return c;
    if (isInfiniteProduct) return sign | 0x7f80_0000;
    if (isZero(a) || isZero(b))
      return isZero(c) ? this.#zeroSum(c, sign) : c === 0 ? 0 : this.#exactSum(toNumber(c), 0);
    return this.#exactSum(toNumber(a) * toNumber(b), toNumber(c));
  }

  /** Sets N Z C V of FPSCR (FPCompare); a quiet NaN is invalid only where `signals` is 1. */
  compare(first: number, second: number, signals: number): number {
    const a = this.#unpack(first);
    const b = this.#unpack(second);
    let flags = 0x3;
    if (isNaNBits(a) || isNaNBits(b)) {
      if (signals === 1 || isSignalling(a) || isSignalling(b)) this.#raise(IOC);
    } else {
      const x = toNumber(a);
      const y = toNumber(b);
      flags = x === y ? 0x6 : x < y ? 0x8 : 0x2;
    }
    this.#words[WORD.fpscr] = (this.#fpscr & 0x0fff_ffff) | (flags << 28);
    return 0;
  }

  /** FPToFixed: saturates to `size` bits. */
  #toFixed(operand: number, isSigned: boolean, { fraction, size, mode }: FixedForm): number {
    const a = this.#unpack(operand);
    if (isNaNBits(a)) {
      this.#raise(IOC);
      return 0;
    }
    const scaled = toNumber(a) * 2 ** fraction;
    const isNegative = scaled < 0;
    const magnitude = Math.abs(scaled);
    const whole = Math.floor(magnitude);
    const cut = { isOdd: whole % 2 === 1, rest: magnitude - whole, half: 0.5 };
    const rounded = whole + (Number.isFinite(whole) && roundsUp(mode, isNegative, cut) ? 1 : 0);
    const value = isNegative ? -rounded : rounded;
    const most = isSigned ? 2 ** (size - 1) - 1 : 2 ** size - 1;
    const least = isSigned ? -(2 ** (size - 1)) : 0;
    if (value > most || value < least) {
      this.#raise(IOC);
      return (value > most ? most : least) | 0;
    }
    if (cut.rest > 0) this.#raise(IXC);
    return value | 0;
  }

  toInteger(operand: number, isSigned: number, isTowardsZero: number): number {
    const mode = isTowardsZero === 1 ? ZERO : this.#mode;
    return this.#toFixed(operand, isSigned === 1, { fraction: 0, size: 32, mode });
  }

  toFixed(operand: number, isSigned: number, fraction: number, size: number): number {
    return this.#toFixed(operand, isSigned === 1, { fraction, size, mode: ZERO });
  }

  fromInteger(operand: number, isSigned: number): number {
    return this.#round(isSigned === 1 ? operand : operand >>> 0);
  }

  /** `operand` is extended to 32 bits already; rounds to nearest whatever FPSCR says. */
  fromFixed(operand: number, isSigned: number, fraction: number): number {
    return this.#round((isSigned === 1 ? operand : operand >>> 0) / 2 ** fraction, NEAREST);
  }

  /** FPHalfToSingle; FZ does not touch half precision. */
  halfToSingle(half: number): number {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    if (exponent === 31 && !(this.#fpscr & AHP)) {
      if (mantissa === 0) return sign | 0x7f80_0000;
      if ((mantissa & 0x200) === 0) this.#raise(IOC);
      return this.#fpscr & DN ? DEFAULT_NAN : sign | 0x7f80_0000 | QUIET | (mantissa << 13);
    }
    const value = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
    if (value === 0) return sign;
    scratch.setFloat32(0, value);
    return sign | scratch.getInt32(0);
  }

  singleToHalf(operand: number): number {
    const a = this.#unpack(operand);
    const sign = (a >>> 16) & 0x8000;
    const isAlternative = (this.#fpscr & AHP) !== 0;
    if (isNaNBits(a)) {
      if (isAlternative) {
        this.#raise(IOC);
        return sign;
      }
      if (isSignalling(a)) this.#raise(IOC);
      return this.#fpscr & DN ? 0x7e00 : sign | 0x7e00 | ((a >>> 13) & 0x1ff);
    }
    if (isInfinite(a)) {
      if (!isAlternative) return sign | 0x7c00;
      this.#raise(IOC);
      return sign | 0x7fff;
    }
    const magnitude = Math.abs(toNumber(a));
    if (magnitude === 0) return sign;
    const exponent = Math.floor(Math.log2(magnitude));
    const isTiny = magnitude < 2 ** -14;
    const scaled = magnitude * 2 ** (isTiny ? 24 : 10 - exponent);
    const whole = Math.floor(scaled);
    const cut = { isOdd: whole % 2 === 1, rest: scaled - whole, half: 0.5 };
    const rounded = whole + (roundsUp(this.#mode, sign !== 0, cut) ? 1 : 0);
    const result = isTiny ? rounded : (exponent + 14) * 1024 + rounded;
    const limit = isAlternative ? 0x8000 : 0x7c00;
    if (result >= limit) {
      if (isAlternative) {
        this.#raise(IOC);
        return sign | 0x7fff;
      }
      this.#raise(OFC | IXC);
      const isToInfinity = this.#mode === NEAREST || this.#mode === (sign === 0 ? PLUS : MINUS);
      return sign | (isToInfinity ? 0x7c00 : 0x7bff);
    }
    if (cut.rest > 0) this.#raise(isTiny ? UFC | IXC : IXC);
    return sign | result;
  }
}

interface FixedForm {
  readonly fraction: number;
  readonly size: number;
  readonly mode: number;
}

/** A number of which only the upper 26 bits are left, towards zero. */
function cutLow(value: number): number {
  scratch.setFloat64(0, value);
  scratch.setInt32(4, scratch.getInt32(4) & 0xf800_0000);
  return scratch.getFloat64(0);
}

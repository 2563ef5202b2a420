/*
 * ECDSA on P-256 as the textbook has it (FIPS 186-5 §6.4), for tests: slow, and nothing in common with the engine, whose
 * every answer it is to have foreseen. Numbers in, numbers out; null is the point at infinity.
 */

const FIELD = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
/** Order of the group. */
export const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
type Point = readonly [x: bigint, y: bigint] | null;
const BASE: Point = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
];

const reduce = (value: bigint, prime: bigint): bigint => ((value % prime) + prime) % prime;

/** By Euclid, from both ends: value·x ≡ 1 where prime·y + value·x = 1. */
function inverse(value: bigint, prime: bigint): bigint {
  const coefficient = (a: bigint, b: bigint): readonly [bigint, bigint] => {
    if (b === 0n) return [1n, 0n];
    const [x, y] = coefficient(b, a % b);
    return [y, x - (a / b) * y];
  };
  return reduce(coefficient(prime, reduce(value, prime))[1], prime);
}

function add(a: Point, b: Point): Point {
  if (a === null) return b;
  if (b === null) return a;
  if (a[0] === b[0] && reduce(a[1] + b[1], FIELD) === 0n) return null;
  const slope =
    a[0] === b[0]
      ? (3n * a[0] * a[0] - 3n) * inverse(2n * a[1], FIELD)
      : (b[1] - a[1]) * inverse(b[0] - a[0], FIELD);
  const x = reduce(slope * slope - a[0] - b[0], FIELD);
  return [x, reduce(slope * (a[0] - x) - a[1], FIELD)];
}

function times(scalar: bigint, point: Point): Point {
  let sum: Point = null;
  let doubled = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) sum = add(sum, doubled);
    doubled = add(doubled, doubled);
  }
  return sum;
}

/** Modulo the order. */
export const quotient = (a: bigint, b: bigint): bigint => reduce(a * inverse(b, ORDER), ORDER);

/** The public key of a private one, 1 to n − 1. */
export function publicOf(key: bigint): readonly [x: bigint, y: bigint] {
  const point = times(key, BASE);
  if (point === null) throw new Error('no key');
  return point;
}

/** Signs the digest z with a nonce that the test chooses. */
export function signed(key: bigint, nonce: bigint, z: bigint): { readonly r: bigint; readonly s: bigint } {
  const r = publicOf(nonce)[0] % ORDER;
  return { r, s: quotient(z + r * key, nonce) };
}

/** FIPS 186-5 §6.4.2. */
export function isSigned(
  key: readonly [x: bigint, y: bigint],
  z: bigint,
  { r, s }: { readonly r: bigint; readonly s: bigint },
): boolean {
  if (r <= 0n || r >= ORDER || s <= 0n || s >= ORDER) return false;
  const w = inverse(s, ORDER);
  const point = add(times(reduce(z * w, ORDER), BASE), times(reduce(r * w, ORDER), key));
  return point !== null && point[0] % ORDER === r;
}

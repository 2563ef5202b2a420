import { createECDH, verify } from 'node:crypto';
import { equalBytes, fromHex } from '@sevenfold/formats';
import { sha256 } from './engines.ts';

/** Prime of the field, order of the group, and b of the curve y² = x³ − 3x + b (SEC 2 §2.4.2). */
const FIELD = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
/** What stands before x and y in the SubjectPublicKeyInfo of an uncompressed point (RFC 5480 §2). */
const SPKI_HEAD = fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004');

/** Multiplies the base point. What it is given is no secret, and stays in it. */
const MULTIPLIER = createECDH('prime256v1');

/** A point of the curve, never the one at infinity. */
interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

/** Messages of our own that stand in for the one that was hashed already. */
const STAND_INS = [0, 1, 2, 3].map((byte) => {
  const message = Uint8Array.of(byte);
  return { message, digest: numberOf(sha256(message)) };
});

/**
 * ECDSA on P-256 over a SHA-256 digest (FIPS 186-5 §6.4.2); `signature` is r‖s. False for whatever is not the
 * uncompressed key of such a curve, or not its signature.
 *
 * OpenSSL, as Node offers it, hashes what it verifies. So not the message is given to it, but a short one, and the key
 * is moved instead: (r, s) signs the digest z under Q exactly if it signs the digest h under Q′ = Q + ((z − h)/r)·G,
 * since (h/s)·G + (r/s)·Q′ = (z/s)·G + (r/s)·Q. It is the same point whose x must be r: nothing is accepted or refused
 * that would not be otherwise, and range checks, double multiplication and comparison are OpenSSL's.
 */
export function verifyP256Digest(spki: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  const key = pointIn(spki);
  if (key === null || digest.length !== 32 || signature.length !== 64) return false;
  const r = numberOf(signature.subarray(0, 32));
  // The range of s is for OpenSSL to check.
  if (r === 0n || r >= ORDER) return false;
  const inverse = invert(r, ORDER);
  const hashed = numberOf(digest);
  // No Q′ is had by one addition if (z − h)/r is 0, or Q is ±((z − h)/r)·G: of four different h at most three are so.
  for (const standIn of STAND_INS) {
    const moved = sumOf(key, multipleOfBase(modulo((hashed - standIn.digest) * inverse, ORDER)));
    if (moved === null) continue;
    const spkiOfMoved = Buffer.concat([SPKI_HEAD, bytesOf(moved.x), bytesOf(moved.y)]);
    const options = { key: spkiOfMoved, format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' } as const;
    return verify('sha256', standIn.message, options, signature);
  }
  return false;
}

/** The point in an SPKI, or null: another curve, another form, or not on the curve. */
function pointIn(spki: Uint8Array): Point | null {
  const head = SPKI_HEAD.length;
  if (spki.length !== head + 64 || !equalBytes(spki.slice(0, head), SPKI_HEAD)) return null;
  const x = numberOf(spki.subarray(head, head + 32));
  const y = numberOf(spki.subarray(head + 32));
  const isOnCurve = x < FIELD && y < FIELD && modulo(y * y - (x * x - 3n) * x - B, FIELD) === 0n;
  return isOnCurve ? { x, y } : null;
}

/** `scalar` times the base point; null: that is at infinity. */
function multipleOfBase(scalar: bigint): Point | null {
  if (scalar === 0n) return null;
  MULTIPLIER.setPrivateKey(bytesOf(scalar));
  const point = MULTIPLIER.getPublicKey();
  return { x: numberOf(point.subarray(1, 33)), y: numberOf(point.subarray(33)) };
}

/** The sum of two points by the chord through them; null where there is none: they are equal or opposite. */
function sumOf(a: Point, b: Point | null): Point | null {
  if (b === null || a.x === b.x) return null;
  const slope = (b.y - a.y) * invert(modulo(b.x - a.x, FIELD), FIELD);
  const x = modulo(slope * slope - a.x - b.x, FIELD);
  return { x, y: modulo(slope * (a.x - x) - a.y, FIELD) };
}

/**
 * The inverse of `value`, from 1 to `prime` − 1: Euclid's algorithm, for which Lehmer has found that the leading digits
 * settle many steps at once (Knuth, The Art of Computer Programming, 4.5.2, algorithm L).
 */
export function invert(value: bigint, prime: bigint): bigint {
  let [rest, next, inverse, following] = [prime, value, 0n, 1n];
  while (next !== 0n) {
    const { a, b, c, d } = leadingSteps(rest, next);
    if (b === 0n) {
      const quotient = rest / next;
      [rest, next] = [next, rest - quotient * next];
      [inverse, following] = [following, inverse - quotient * following];
    } else {
      [rest, next] = [a * rest + b * next, c * rest + d * next];
      [inverse, following] = [a * inverse + b * following, c * inverse + d * following];
    }
  }
  return modulo(inverse, prime);
}

/** Steps of Euclid's algorithm as far as the leading 51 bits are sure of them, as one matrix; `b` 0: of none. */
function leadingSteps(rest: bigint, next: bigint) {
  const shift = BigInt(Math.max(0, Math.floor(Math.log2(Number(rest))) - 50));
  let [x, y] = [Number(rest >> shift), Number(next >> shift)];
  let [a, b, c, d] = [1, 0, 0, 1];
  while (y + c !== 0 && y + d !== 0) {
    const quotient = Math.floor((x + a) / (y + c));
    // What was cut off could make the quotient another one: here it ends.
    if (quotient !== Math.floor((x + b) / (y + d))) break;
    [a, c] = [c, a - quotient * c];
    [b, d] = [d, b - quotient * d];
    [x, y] = [y, x - quotient * y];
  }
  return { a: BigInt(a), b: BigInt(b), c: BigInt(c), d: BigInt(d) };
}

function modulo(value: bigint, prime: bigint): bigint {
  const rest = value % prime;
  return rest < 0n ? rest + prime : rest;
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toHex()}`);
}

function bytesOf(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, '0'));
}

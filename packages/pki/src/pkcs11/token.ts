import { createHash } from 'node:crypto';

import { DerReader, der } from '@sevenfold/formats';
import koffi from 'koffi';

import { PkiError } from '../errors.ts';
import { checkKeyName, keyExists, keyNotFound } from '../key-store.ts';
import { CURVES, spkiOfPoint, type KeyCurve } from '../keys.ts';

/** Which token of which library, and what opens it. */
export interface TokenOptions {
  /** Path of the vendor's PKCS#11 library. */
  readonly library: string;
  /** Label of the token in it. */
  readonly label: string;
  /** User PIN. */
  readonly pin: string;
}

/** Names and numbers of PKCS#11 2.40 (pkcs11t.h). */
const CKF = { rwSession: 2n, serialSession: 4n } as const;
const CKU_USER = 1n;
const CKO = { publicKey: 2n, privateKey: 3n } as const;
const CKM = { ecKeyPairGen: 0x1040n, ecdsa: 0x1041n } as const;
const CKA = {
  class: 0x0n,
  token: 0x1n,
  private: 0x2n,
  label: 0x3n,
  sensitive: 0x103n,
  sign: 0x108n,
  verify: 0x10an,
  extractable: 0x162n,
  ecParams: 0x180n,
  ecPoint: 0x181n,
} as const;
const MOST_SLOTS = 64;
const TOKEN_LABEL_LENGTH = 32;
const TOKEN_INFO_LENGTH = 256;
const MOST_ATTRIBUTE = 256;

const ATTRIBUTE = koffi.struct({ type: 'ulong', value: 'void *', length: 'ulong' });
const MECHANISM = koffi.struct({ mechanism: 'ulong', parameter: 'void *', length: 'ulong' });

interface Attribute {
  readonly type: bigint;
  readonly value: Buffer;
  readonly length: number;
}

/** The calls that are used, as C declares them. */
function bind(library: string): {
  readonly [Name in keyof typeof SIGNATURES]: (...args: readonly unknown[]) => bigint;
} {
  const loaded = koffi.load(library);
  return Object.fromEntries(
    Object.entries(SIGNATURES).map(([name, parameters]) => {
      const call = loaded.func(`C_${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`, 'ulong', [...parameters]);
      return [name, (...args: readonly unknown[]) => BigInt(call(...args))];
    }),
    // `fromEntries` forgets the names that it was given.
  ) as never;
}

const HANDLE = 'ulong';
const BYTES = 'void *';
const ATTRIBUTES = koffi.pointer(ATTRIBUTE);
const MECHANISM_POINTER = koffi.pointer(MECHANISM);
const SIGNATURES = {
  initialize: [BYTES],
  getSlotList: ['uint8_t', BYTES, BYTES],
  getTokenInfo: [HANDLE, BYTES],
  openSession: [HANDLE, HANDLE, BYTES, BYTES, BYTES],
  login: [HANDLE, HANDLE, BYTES, HANDLE],
  findObjectsInit: [HANDLE, ATTRIBUTES, HANDLE],
  findObjects: [HANDLE, BYTES, HANDLE, BYTES],
  findObjectsFinal: [HANDLE],
  getAttributeValue: [HANDLE, HANDLE, koffi.inout(ATTRIBUTES), HANDLE],
  generateKeyPair: [HANDLE, MECHANISM_POINTER, ATTRIBUTES, HANDLE, ATTRIBUTES, HANDLE, BYTES, BYTES],
  signInit: [HANDLE, MECHANISM_POINTER, HANDLE],
  sign: [HANDLE, BYTES, HANDLE, BYTES, BYTES],
} as const;

/**
 * A PKCS#11 token with one session on it. Every call blocks until the token has answered, so it lives in a process of
 * its own (`token.child.ts`). Private keys are made sensitive and not extractable: they never leave the token.
 */
export class Pkcs11Token {
  readonly #calls: ReturnType<typeof bind>;
  readonly #session: bigint;

  /** Loads the library and logs in. Refuses with `KeyTokenFailed` or `WrongPassphrase`. */
  constructor(options: TokenOptions) {
    try {
      this.#calls = bind(options.library);
    } catch (cause) {
      throw new PkiError('KeyTokenFailed', `${options.library} is no PKCS#11 library`, {
        field: 'library',
        cause,
      });
    }
    check('C_Initialize', this.#calls.initialize(null));
    const slot = this.#findSlot(options.label);
    const session = new BigUint64Array(1);
    const flags = CKF.rwSession | CKF.serialSession;
    check('C_OpenSession', this.#calls.openSession(slot, flags, null, null, session));
    this.#session = session[0] ?? 0n;
    const pin = Buffer.from(options.pin);
    const result = this.#calls.login(this.#session, CKU_USER, pin, pin.length);
    // CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED.
    if ([0xa0n, 0xa1n, 0xa2n, 0xa4n].includes(result))
      throw new PkiError('WrongPassphrase', 'the token refuses the PIN', { field: 'pin' });
    check('C_Login', result);
  }

  /** See `KeyStore.make`. */
  make(name: string, curve: KeyCurve): Uint8Array {
    checkKeyName(name);
    if (this.#find(name, CKO.privateKey) !== null) throw keyExists(name);
    const yes = Buffer.of(1);
    const no = Buffer.of(0);
    const label = attribute(CKA.label, Buffer.from(name));
    const forPublic = [
      attribute(CKA.token, yes),
      attribute(CKA.verify, yes),
      attribute(CKA.ecParams, Buffer.from(der.oid(CURVES[curve].oid))),
      label,
    ];
    const forPrivate = [
      attribute(CKA.token, yes),
      attribute(CKA.private, yes),
      attribute(CKA.sensitive, yes),
      attribute(CKA.extractable, no),
      attribute(CKA.sign, yes),
      label,
    ];
    const publicKey = new BigUint64Array(1);
    const result = this.#calls.generateKeyPair(
      this.#session,
      { mechanism: CKM.ecKeyPairGen, parameter: null, length: 0 },
      forPublic,
      forPublic.length,
      forPrivate,
      forPrivate.length,
      publicKey,
      new BigUint64Array(1),
    );
    check('C_GenerateKeyPair', result);
    return this.#read(publicKey[0] ?? 0n).spki;
  }

  /** See `KeyStore.public`. A key counts when both its halves are there. */
  public(name: string): Uint8Array | null {
    checkKeyName(name);
    const object = this.#find(name, CKO.privateKey) === null ? null : this.#find(name, CKO.publicKey);
    return object === null ? null : this.#read(object).spki;
  }

  /** See `KeyStore.sign`. */
  sign(name: string, message: Uint8Array): Uint8Array {
    checkKeyName(name);
    const privateKey = this.#find(name, CKO.privateKey);
    const publicKey = this.#find(name, CKO.publicKey);
    if (privateKey === null || publicKey === null) throw keyNotFound(name);
    const { hash, fieldLength } = CURVES[this.#read(publicKey).curve];
    const digest = createHash(hash).update(message).digest();
    const mechanism = { mechanism: CKM.ecdsa, parameter: null, length: 0 };
    check('C_SignInit', this.#calls.signInit(this.#session, mechanism, privateKey));
    const signature = Buffer.alloc(2 * fieldLength);
    const length = BigUint64Array.of(BigInt(signature.length));
    check('C_Sign', this.#calls.sign(this.#session, digest, digest.length, signature, length));
    if (length[0] !== BigInt(signature.length)) throw failed('C_Sign', 'a signature of a wrong length');
    return new Uint8Array(signature);
  }

  #findSlot(label: string): bigint {
    const slots = new BigUint64Array(MOST_SLOTS);
    const count = BigUint64Array.of(BigInt(MOST_SLOTS));
    check('C_GetSlotList', this.#calls.getSlotList(1, slots, count));
    const info = Buffer.alloc(TOKEN_INFO_LENGTH);
    for (const slot of slots.subarray(0, Number(count[0] ?? 0n))) {
      if (this.#calls.getTokenInfo(slot, info) !== 0n) continue;
      if (info.toString('utf8', 0, TOKEN_LABEL_LENGTH).trimEnd() === label) return slot;
    }
    throw new PkiError('KeyTokenFailed', `there is no token "${label}"`, { field: 'label' });
  }

  #find(name: string, objectClass: bigint): bigint | null {
    const wanted = [
      attribute(CKA.class, Buffer.from(BigUint64Array.of(objectClass).buffer)),
      attribute(CKA.label, Buffer.from(name)),
    ];
    check('C_FindObjectsInit', this.#calls.findObjectsInit(this.#session, wanted, wanted.length));
    const objects = new BigUint64Array(2);
    const count = new BigUint64Array(1);
    const result = this.#calls.findObjects(this.#session, objects, 2, count);
    check('C_FindObjectsFinal', this.#calls.findObjectsFinal(this.#session));
    check('C_FindObjects', result);
    if ((count[0] ?? 0n) > 1n) throw failed('C_FindObjects', `more than one key "${name}"`);
    return count[0] === 1n ? (objects[0] ?? null) : null;
  }

  /** The public key, from CKA_EC_PARAMS (a named curve) and CKA_EC_POINT (an OCTET STRING around the point). */
  #read(publicKey: bigint): { readonly curve: KeyCurve; readonly spki: Uint8Array } {
    const oid = DerReader.read(this.#attribute(publicKey, CKA.ecParams), (reader) => reader.oid());
    const curve = (['P-256', 'P-384'] as const).find((one) => CURVES[one].oid === oid);
    if (curve === undefined) throw failed('C_GetAttributeValue', `a key on the curve ${oid}`);
    const point = DerReader.read(this.#attribute(publicKey, CKA.ecPoint), (reader) => reader.octetString());
    return { curve, spki: spkiOfPoint(curve, point) };
  }

  #attribute(object: bigint, type: bigint): Uint8Array {
    const value = Buffer.alloc(MOST_ATTRIBUTE);
    const wanted = [attribute(type, value)];
    check('C_GetAttributeValue', this.#calls.getAttributeValue(this.#session, object, wanted, 1));
    return new Uint8Array(value.subarray(0, wanted[0]?.length ?? 0));
  }
}

function attribute(type: bigint, value: Buffer): Attribute {
  return { type, value, length: value.length };
}

function check(call: string, result: bigint): void {
  if (result !== 0n) throw failed(call, `0x${result.toString(16)}`);
}

function failed(call: string, what: string): PkiError {
  return new PkiError('KeyTokenFailed', `the token answered ${call} with ${what}`, { rule: 'PKCS#11 2.40' });
}

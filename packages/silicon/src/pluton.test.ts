import {
  createCipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  verify,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { IMAGE_TYPES, concatBytes, utf8Encode, type Entropy } from '@sevenfold/formats';
import { openChip, type Chip } from './chip.ts';
import { insecureSeededEntropy, sha256, systemEntropy, verifyP256 } from './engines.ts';
import { EntropySource, PROPORTION_CUTOFF, REPETITION_CUTOFF } from './entropy-source.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';
import { KEY_SLOTS, MEASUREMENT_REGISTERS } from './pluton.ts';

const chipWith = (entropy: Entropy): Chip =>
  openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy });
const manufacturing = { chipSku: 1, rootKeyHash: sha256(Uint8Array.of(1)) };
const CONTEXT = sha256(Uint8Array.of(7));
const noise = (sample: (index: number) => number): Entropy => {
  let index = 0;
  return { random: (length) => Uint8Array.from({ length }, () => sample(index++)) };
};

describe('the entropy source (SP 800-90B §4.4)', () => {
  it('has the cut-offs that its claim asks for', () => {
    // 1 + ⌈40 / 4⌉, and the 1 - 2^-40 quantile of 512 trials at 1/16.
    expect(REPETITION_CUTOFF).toBe(11);
    expect(PROPORTION_CUTOFF).toBeGreaterThan(70);
    expect(PROPORTION_CUTOFF).toBeLessThan(90);
  });

  it('passes good noise on, never the raw samples', () => {
    const source = new EntropySource(systemEntropy(), sha256);
    const values = new Set(
      Array.from({ length: 200 }, () => Buffer.from(source.entropy(32)).toString('hex')),
    );
    expect(values.size).toBe(200);
    expect(source.entropy(0).length).toBe(0);
    expect(source.entropy(100).length).toBe(100);
  });

  it.each([
    ['stuck at one value', noise(() => 0x42), 'repeats one value'],
    ['stuck after a while', noise((index) => (index < 5000 ? (index * 167) & 0xff : 7)), 'repeats one value'],
    [
      'favouring one value',
      noise((index) => (index % 5 === 0 ? 9 : (index * 167) & 0xff)),
      'yields one value',
    ],
    ['starved', { random: () => new Uint8Array(3) }, 'is starved'],
  ])('%s: no keys and no nonces until reset', (_what, entropy, why) => {
    const source = new EntropySource(entropy, sha256);
    const draw = (): void => {
      for (let n = 0; n < 200; n++) source.entropy(32);
    };
    expect(draw).toThrow(why);
    expect(() => source.entropy(1)).toThrow(expect.objectContaining({ code: 'EntropyFailure' }));
    const chip = chipWith(noise(() => 1));
    expect(() => chip.manufacture(manufacturing)).toThrow(
      expect.objectContaining({ code: 'EntropyFailure' }),
    );
    expect(() => chip.pluton.makeKey(CONTEXT, null)).toThrow(
      expect.objectContaining({ code: 'EntropyFailure' }),
    );
    expect(() => chip.pluton.bootSeed).toThrow(expect.objectContaining({ code: 'EntropyFailure' }));
    expect(chip.fuses.isLocked('identitySeed')).toBe(false);
  });
});

describe('Pluton’s hardware', () => {
  const measurement = {
    imageType: 2,
    name: 'pluton',
    digest: sha256(Uint8Array.of(1)),
    signerId: sha256(Uint8Array.of(2)),
    securityVersion: 1,
  };

  it('signs with an identity that never leaves it', () => {
    const bits = memoryFuses();
    const chip = openChip({ flash: memoryFlash(), fuses: bits, entropy: insecureSeededEntropy('x') });
    const { attestationSpki } = chip.manufacture(manufacturing);
    const message = Uint8Array.of(1, 2, 3);
    const signature = chip.pluton.signIdentity(message);
    expect(verifyP256(attestationSpki, message, signature)).toBe(true);
    const key = createPublicKey({ key: Buffer.from(attestationSpki), format: 'der', type: 'spki' });
    expect(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(verifyP256(attestationSpki, Uint8Array.of(9), signature)).toBe(false);
    expect(verifyP256(Uint8Array.of(1, 2), message, signature)).toBe(false);
  });

  it('extends its measurement registers only, and clears them at reset alone', () => {
    const chip = chipWith(insecureSeededEntropy('x'));
    chip.manufacture(manufacturing);
    for (let n = 0; n < MEASUREMENT_REGISTERS; n++)
      chip.pluton.extendMeasurement({ ...measurement, imageType: n });
    expect(() => chip.pluton.extendMeasurement(measurement)).toThrow(
      expect.objectContaining({ code: 'OutOfRange' }),
    );
    chip.pluton.measurements.length = 0;
    expect(chip.pluton.measurements.map(({ imageType }) => imageType)).toEqual([
      ...Array(MEASUREMENT_REGISTERS).keys(),
    ]);
    const seed = chip.pluton.bootSeed;
    expect(chip.pluton.bootSeed).toEqual(seed);
    chip.reset('Restart');
    expect(chip.resetReason).toBe('Restart');
    expect(chip.pluton.measurements).toEqual([]);
    expect(chip.pluton.bootSeed).not.toEqual(seed);
  });

  it('gives a session key again to the same chip, context and salt, and to no other', () => {
    const chip = chipWith(systemEntropy());
    const other = chipWith(systemEntropy());
    for (const one of [chip, other]) one.manufacture(manufacturing);
    const { spki, salt } = chip.pluton.makeKey(CONTEXT, null);
    expect(chip.pluton.makeKey(CONTEXT, null).spki).not.toEqual(spki);
    chip.reset('Restart');
    expect(chip.pluton.makeKey(CONTEXT, salt).spki).toEqual(spki);
    expect(chip.pluton.makeKey(sha256(CONTEXT), salt).spki).not.toEqual(spki);
    expect(chip.pluton.makeKey(CONTEXT, sha256(salt)).spki).not.toEqual(spki);
    expect(other.pluton.makeKey(CONTEXT, salt).spki).not.toEqual(spki);
  });

  it('keeps from an older runtime what a newer one sealed, whatever that runtime claims', () => {
    const chip = chipWith(systemEntropy());
    chip.manufacture(manufacturing);
    const run = (securityVersion: number): void => {
      chip.reset('Restart');
      chip.pluton.extendMeasurement({
        ...measurement,
        imageType: IMAGE_TYPES.PlutonRuntime,
        securityVersion,
      });
    };
    run(2);
    const { salt, spki } = chip.pluton.makeKey(CONTEXT, null);
    const box = chip.pluton.seal(CONTEXT, Uint8Array.of(1, 2, 3));
    run(3);
    expect(chip.pluton.unseal(CONTEXT, box)).toEqual(Uint8Array.of(1, 2, 3));
    run(1);
    const lying = box.map((byte, index) => (index === 0 ? 1 : byte));
    for (const tried of [box, lying, box.subarray(0, 40)])
      expect(() => chip.pluton.unseal(CONTEXT, tried)).toThrow(
        expect.objectContaining({ code: 'NotAuthentic' }),
      );
    expect(chip.pluton.makeKey(CONTEXT, salt).spki).not.toEqual(spki);
    // A second runtime measured on top lowers what may be had, and never raises it.
    chip.pluton.extendMeasurement({
      ...measurement,
      imageType: IMAGE_TYPES.PlutonRuntime,
      securityVersion: 9,
    });
    expect(() => chip.pluton.unseal(CONTEXT, box)).toThrow(expect.objectContaining({ code: 'NotAuthentic' }));
  });

  it('has a second key pair, for records and deliveries, whose signature is never a token’s', () => {
    const chip = chipWith(systemEntropy());
    const { attestationSpki } = chip.manufacture(manufacturing);
    const { generalSpki } = chip.pluton;
    expect(generalSpki).not.toEqual(attestationSpki);
    const record = Uint8Array.of(1, 2, 3);
    const signature = chip.pluton.signRecord(record);
    const prefixed = concatBytes(utf8Encode('sevenfold device record v1\0'), record);
    expect(verifyP256(generalSpki, prefixed, signature)).toBe(true);
    expect(verifyP256(generalSpki, record, signature)).toBe(false);
    expect(verifyP256(attestationSpki, prefixed, signature)).toBe(false);
  });

  it('opens what a stranger sealed to it, and nothing that was changed or meant for another chip or context', () => {
    const chip = chipWith(systemEntropy());
    const other = chipWith(systemEntropy());
    for (const one of [chip, other]) one.manufacture(manufacturing);
    const context = utf8Encode('Wi-Fi of the customer');
    const secret = utf8Encode('the passphrase');
    // The sender works with OpenSSL through Node alone.
    const sender = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ephemeral = Uint8Array.from(sender.publicKey.export({ format: 'der', type: 'spki' }));
    const receiver = createPublicKey({
      key: Buffer.from(chip.pluton.generalSpki),
      format: 'der',
      type: 'spki',
    });
    const shared = diffieHellman({ privateKey: sender.privateKey, publicKey: receiver });
    const info = concatBytes(
      utf8Encode('sevenfold delivery key v1\0'),
      sha256(ephemeral),
      sha256(chip.pluton.generalSpki),
      sha256(context),
    );
    const key = Buffer.from(hkdfSync('sha256', shared, Buffer.alloc(0), info, 32));
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context);
    const box = concatBytes(nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag());
    expect(chip.pluton.openDelivery(ephemeral, context, box)).toEqual(secret);

    const refused = expect.objectContaining({ code: 'NotAuthentic' });
    expect(() => other.pluton.openDelivery(ephemeral, context, box)).toThrow(refused);
    expect(() => chip.pluton.openDelivery(ephemeral, secret, box)).toThrow(refused);
    for (let at = 0; at < box.length; at++) {
      const changed = box.map((byte, index) => (index === at ? byte ^ 1 : byte));
      expect(() => chip.pluton.openDelivery(ephemeral, context, changed)).toThrow(refused);
    }
    const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
    const foreign = Uint8Array.from(otherCurve.export({ format: 'der', type: 'spki' }));
    expect(() => chip.pluton.openDelivery(foreign, context, box)).toThrow(
      expect.objectContaining({ code: 'BadArgument' }),
    );
  });

  it('refuses nonces as well when its source dies while the generator could go on', () => {
    let isDead = false;
    const chip = chipWith({
      random: (length) => (isDead ? new Uint8Array(length).fill(7) : systemEntropy().random(length)),
    });
    expect(chip.pluton.random(16).length).toBe(16);
    isDead = true;
    expect(() => chip.pluton.random(16)).toThrow(expect.objectContaining({ code: 'EntropyFailure' }));
    expect(() => chip.pluton.makeRsaKey()).toThrow(expect.objectContaining({ code: 'EntropyFailure' }));
    isDead = false;
    expect(() => chip.pluton.random(16)).toThrow('has failed before');
    chip.reset('Restart');
    expect(chip.pluton.random(16).length).toBe(16);
  });

  it('makes session keys in slots that are emptied by export and reset', () => {
    const chip = chipWith(insecureSeededEntropy('x'));
    chip.manufacture(manufacturing);
    for (let n = 0; n < KEY_SLOTS; n++) chip.pluton.makeKey(CONTEXT, null);
    expect(() => chip.pluton.makeKey(CONTEXT, null)).toThrow(
      expect.objectContaining({ code: 'KeySlotsFull' }),
    );
    chip.pluton.exportKey(3);
    expect(() => chip.pluton.signKey(3, Uint8Array.of(1))).toThrow(
      expect.objectContaining({ code: 'NoSuchKey' }),
    );
    expect(chip.pluton.makeKey(CONTEXT, null).slot).toBe(3);
    chip.reset('Restart');
    expect(() => chip.pluton.signKey(0, Uint8Array.of(1))).toThrow(
      expect.objectContaining({ code: 'NoSuchKey' }),
    );
  });
});

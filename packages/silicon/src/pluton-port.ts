import {
  IMAGE_TYPES,
  PLUTON_HARDWARE_CALLS,
  SECOND_SIGNATURE_LENGTH,
  SYSTEM_IMAGE_TYPES,
  PortError,
  booleanArgument,
  bytesArgument,
  choiceArgument,
  listArgument,
  recordArgument,
  serveCalls,
  textArgument,
  uintArgument,
  type PortHandler,
  type PortValue,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import { verifyP256Digest } from './ecdsa-digest.ts';
import { sha1, sha256, sha256Tails, verifyMlDsa65, verifyP256 } from './engines.ts';
import { RSA_BLOCK, RSA_MOST_PLAIN, encryptRsa2048, verifyRsa2048 } from './engines-rsa.ts';
import {
  DIGESTS,
  GCM_NONCE,
  GCM_TAG,
  digest,
  gcmOpen,
  gcmSeal,
  hkdfSha256,
  hmacSha256,
  keyUnwrap,
  keyWrap,
  type GcmParameters,
} from './engines-symmetric.ts';
import { SALT_BYTES } from './pluton.ts';
import { MESSAGE, anyCaller, selectionOf, starts, type StartStage } from './port-helpers.ts';
import type { RomHandover } from './rom.ts';

const SPKI = { max: 1024 } as const;
/** Of one head, hashed with each of them. */
const MOST_TAILS = 4;
const AES_KEY = { length: 32 } as const;
/** Keys of HMAC, salts, and keys that are wrapped: short, whatever they are. */
const SYMMETRIC_KEY = { max: 65_536 } as const;

function systemImageType(untrusted: PortValue | undefined): SystemImageTypeName {
  const type = SYSTEM_IMAGE_TYPES.find((name) => IMAGE_TYPES[name] === untrusted);
  if (type === undefined)
    throw new PortError('BadArgument', 'imageType must be a system image type.', { field: 'imageType' });
  return type;
}

function gcmParameters(
  key: PortValue | undefined,
  nonce: PortValue | undefined,
  associated: PortValue | undefined,
): GcmParameters {
  return {
    key: bytesArgument(key, 'key', AES_KEY),
    nonce: bytesArgument(nonce, 'nonce', { length: GCM_NONCE }),
    associated: bytesArgument(associated, 'associated', MESSAGE),
  };
}

/** `PLUTON_HARDWARE_CALLS`: Pluton's engines, keys, registers, fuses and its view of flash. */
export function plutonHardware(chip: Chip, handover: RomHandover, startStage: StartStage): PortHandler {
  const { pluton, fuses, bus } = chip;
  return serveCalls(PLUTON_HARDWARE_CALLS, anyCaller, {
    bootSelection: () => selectionOf(chip, handover),
    trustedKeystore: () => handover.keystorePackage,
    readFuses: () => {
      bus.check('pluton', 'read', 'fuses');
      return {
        chipSku: fuses.chipSku,
        manufacturingState: fuses.manufacturingState,
        rootKeyHash: fuses.rootKeyHash,
        securityVersions: fuses.securityVersions(),
        stateEpoch: fuses.stateEpoch,
        needsSecondSignature: fuses.needsSecondSignature,
      };
    },
    programSecurityVersion: ([imageType, version]) => {
      bus.check('pluton', 'write', 'fuses');
      fuses.raiseSecurityVersion(systemImageType(imageType), uintArgument(version, 'version'));
      return null;
    },
    raiseStateEpoch: () => {
      bus.check('pluton', 'write', 'fuses');
      fuses.raiseStateEpoch();
      return null;
    },
    identityKey: () => pluton.identitySpki,
    signIdentity: ([message]) => pluton.signIdentity(bytesArgument(message, 'message', MESSAGE)),
    generalKey: () => pluton.generalSpki,
    signRecord: ([record]) => pluton.signRecord(bytesArgument(record, 'record', MESSAGE)),
    openDelivery: ([ephemeral, context, box]) =>
      pluton.openDelivery(
        bytesArgument(ephemeral, 'ephemeral', SPKI),
        bytesArgument(context, 'context', MESSAGE),
        bytesArgument(box, 'box', { min: GCM_NONCE + GCM_TAG, max: MESSAGE.max }),
      ),
    makeKey: ([context, salt]) => ({
      ...pluton.makeKey(
        bytesArgument(context, 'context', { length: 32 }),
        salt === null ? null : bytesArgument(salt, 'salt', { length: SALT_BYTES }),
      ),
    }),
    signKey: ([slot, message]) =>
      pluton.signKey(uintArgument(slot, 'slot'), bytesArgument(message, 'message', MESSAGE)),
    exportKey: ([slot]) => pluton.exportKey(uintArgument(slot, 'slot')),
    verify: ([spki, message, signature]) =>
      verifyP256(
        bytesArgument(spki, 'spki', SPKI),
        bytesArgument(message, 'message', MESSAGE),
        bytesArgument(signature, 'signature', { length: 64 }),
      ),
    verifyDigest: ([spki, message, signature]) =>
      verifyP256Digest(
        bytesArgument(spki, 'spki', SPKI),
        bytesArgument(message, 'digest', { length: 32 }),
        bytesArgument(signature, 'signature', { length: 64 }),
      ),
    verifyRsa: ([spki, message, signature]) =>
      verifyRsa2048(
        bytesArgument(spki, 'spki', SPKI),
        bytesArgument(message, 'message', MESSAGE),
        bytesArgument(signature, 'signature', { length: RSA_BLOCK }),
      ),
    makeRsaKey: () => ({ ...pluton.makeRsaKey() }),
    signRsa: ([slot, message]) =>
      pluton.signRsa(uintArgument(slot, 'slot'), bytesArgument(message, 'message', MESSAGE)),
    encryptRsa: ([spki, plaintext]) =>
      encryptRsa2048(
        bytesArgument(spki, 'spki', SPKI),
        bytesArgument(plaintext, 'plaintext', { max: RSA_MOST_PLAIN }),
      ),
    decryptRsa: ([slot, encrypted]) =>
      pluton.decryptRsa(
        uintArgument(slot, 'slot'),
        bytesArgument(encrypted, 'encrypted', { length: RSA_BLOCK }),
      ),
    dropRsaKey: ([slot]) => {
      pluton.dropRsaKey(uintArgument(slot, 'slot'));
      return null;
    },
    seal: ([context, plaintext]) =>
      pluton.seal(bytesArgument(context, 'context', MESSAGE), bytesArgument(plaintext, 'plaintext', MESSAGE)),
    unseal: ([context, box]) =>
      pluton.unseal(bytesArgument(context, 'context', MESSAGE), bytesArgument(box, 'box', MESSAGE)),
    authenticate: ([message]) => pluton.authenticate(bytesArgument(message, 'message', MESSAGE)),
    digest: ([name, message]) =>
      digest(choiceArgument(name, 'name', DIGESTS), bytesArgument(message, 'message', MESSAGE)),
    hmac: ([key, message]) =>
      hmacSha256(bytesArgument(key, 'key', SYMMETRIC_KEY), bytesArgument(message, 'message', MESSAGE)),
    hkdf: ([key, salt, info, length]) =>
      hkdfSha256(
        bytesArgument(key, 'key', SYMMETRIC_KEY),
        bytesArgument(salt, 'salt', SYMMETRIC_KEY),
        bytesArgument(info, 'info', SYMMETRIC_KEY),
        uintArgument(length, 'length'),
      ),
    gcmSeal: ([key, nonce, associated, plaintext]) =>
      gcmSeal(gcmParameters(key, nonce, associated), bytesArgument(plaintext, 'plaintext', MESSAGE)),
    gcmOpen: ([key, nonce, associated, sealed]) =>
      gcmOpen(gcmParameters(key, nonce, associated), bytesArgument(sealed, 'sealed', MESSAGE)),
    keyWrap: ([key, plaintext]) =>
      keyWrap(bytesArgument(key, 'key', AES_KEY), bytesArgument(plaintext, 'plaintext', SYMMETRIC_KEY)),
    keyUnwrap: ([key, wrapped]) =>
      keyUnwrap(bytesArgument(key, 'key', AES_KEY), bytesArgument(wrapped, 'wrapped', SYMMETRIC_KEY)),
    verifySecond: ([spki, message, signature]) =>
      verifyMlDsa65(
        bytesArgument(spki, 'spki', { max: 4096 }),
        bytesArgument(message, 'message', MESSAGE),
        bytesArgument(signature, 'signature', { length: SECOND_SIGNATURE_LENGTH }),
      ),
    sha256: ([message]) => sha256(bytesArgument(message, 'message', MESSAGE)),
    sha256Tails: ([head, tails]) =>
      sha256Tails(
        bytesArgument(head, 'head', MESSAGE),
        listArgument(tails, 'tails', MOST_TAILS, (tail, field) => bytesArgument(tail, field, MESSAGE)),
      ),
    sha1: ([message]) => sha1(bytesArgument(message, 'message', MESSAGE)),
    random: ([length, fresh]) =>
      pluton.random(uintArgument(length, 'length', { max: 4096 }), booleanArgument(fresh, 'fresh')),
    extendMeasurement: ([measurement]) => {
      const fields = recordArgument(measurement, 'measurement', [
        'imageType',
        'name',
        'digest',
        'signerId',
        'securityVersion',
      ]);
      pluton.extendMeasurement({
        imageType: uintArgument(fields.imageType, 'imageType', { max: 0xffff }),
        name: textArgument(fields.name, 'name', 64),
        digest: bytesArgument(fields.digest, 'digest', { length: 32 }),
        signerId: bytesArgument(fields.signerId, 'signerId', { length: 32 }),
        securityVersion: uintArgument(fields.securityVersion, 'securityVersion', { max: 0xffffffff }),
      });
      return null;
    },
    measurements: () => pluton.measurements,
    bootSeed: () => pluton.bootSeed,
    readFlash: ([offset, length]) =>
      bus.readFlash('pluton', uintArgument(offset, 'offset'), uintArgument(length, 'length')),
    programFlash: ([offset, bytes]) => {
      bus.programFlash('pluton', uintArgument(offset, 'offset'), bytesArgument(bytes, 'bytes', MESSAGE));
      return null;
    },
    eraseFlash: ([offset, length]) => {
      bus.eraseFlash('pluton', uintArgument(offset, 'offset'), uintArgument(length, 'length'));
      return null;
    },
    startStage: (args, caller) => {
      bus.check('secure', 'execute', 'secureRam');
      return starts('monitor', startStage)(args, caller);
    },
  });
}

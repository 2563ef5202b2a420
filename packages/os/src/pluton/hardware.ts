import { isBytes, type Port, type PortValue } from '@sevenfold/formats';
import { PlutonError } from './errors.ts';

/** Pluton's hardware as the runtime uses it: `PLUTON_HARDWARE_CALLS`, each answer checked for its shape. */
export type PlutonHardwarePort = ReturnType<typeof plutonHardwareOver>;

type Fields = { readonly [key: string]: PortValue };

function bytesOf(value: PortValue): Uint8Array {
  if (!isBytes(value))
    throw new PlutonError('HardwareFault', 'The hardware gave no bytes where bytes belong.');
  return value;
}

function fieldsOf(value: PortValue): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value)) {
    throw new PlutonError('HardwareFault', 'The hardware gave no record where one belongs.');
  }
  return value as Fields;
}

function listOf(value: PortValue): readonly PortValue[] {
  if (!Array.isArray(value))
    throw new PlutonError('HardwareFault', 'The hardware gave no list where one belongs.');
  return value as readonly PortValue[];
}

function numberOf(value: PortValue | undefined): number {
  if (typeof value !== 'number')
    throw new PlutonError('HardwareFault', 'The hardware gave no number where one belongs.');
  return value;
}

function textOf(value: PortValue | undefined): string {
  if (typeof value !== 'string')
    throw new PlutonError('HardwareFault', 'The hardware gave no text where one belongs.');
  return value;
}

/** Wraps the hardware's port. */
export function plutonHardwareOver(port: Port) {
  return {
    bootSelection: async () => fieldsOf(await port.call('bootSelection')),
    trustedKeystore: async () => bytesOf(await port.call('trustedKeystore')),
    async fuses() {
      const fuses = fieldsOf(await port.call('readFuses'));
      const versions = fieldsOf(fuses['securityVersions'] ?? null);
      return {
        chipSku: numberOf(fuses['chipSku']),
        manufacturingState: textOf(fuses['manufacturingState']),
        /** Epoch that Pluton's state in flash must be of. */
        stateEpoch: numberOf(fuses['stateEpoch']),
        rootKeyHash: bytesOf(fuses['rootKeyHash'] ?? null),
        needsSecondSignature: fuses['needsSecondSignature'] !== false,
        /** Fused counter of an image type; 0 for types without one. */
        securityVersion: (imageType: number): number => numberOf(versions[String(imageType)] ?? 0),
      };
    },
    programSecurityVersion: (imageType: number, version: number) =>
      port.call('programSecurityVersion', imageType, version),
    raiseStateEpoch: () => port.call('raiseStateEpoch'),
    authenticate: async (message: Uint8Array) => bytesOf(await port.call('authenticate', message)),
    programFlash: (offset: number, bytes: Uint8Array) => port.call('programFlash', offset, bytes),
    eraseFlash: (offset: number, length: number) => port.call('eraseFlash', offset, length),
    identityKey: async () => bytesOf(await port.call('identityKey')),
    signIdentity: async (message: Uint8Array) => bytesOf(await port.call('signIdentity', message)),
    generalKey: async () => bytesOf(await port.call('generalKey')),
    signRecord: async (record: Uint8Array) => bytesOf(await port.call('signRecord', record)),
    openDelivery: async (ephemeral: Uint8Array, context: Uint8Array, box: Uint8Array) =>
      bytesOf(await port.call('openDelivery', ephemeral, context, box)),
    async makeKey(context: Uint8Array, salt: Uint8Array | null) {
      const { slot, spki, salt: used } = fieldsOf(await port.call('makeKey', context, salt));
      return { slot: numberOf(slot), spki: bytesOf(spki ?? null), salt: bytesOf(used ?? null) };
    },
    seal: async (context: Uint8Array, plaintext: Uint8Array) =>
      bytesOf(await port.call('seal', context, plaintext)),
    unseal: async (context: Uint8Array, box: Uint8Array) => bytesOf(await port.call('unseal', context, box)),
    signKey: async (slot: number, message: Uint8Array) => bytesOf(await port.call('signKey', slot, message)),
    exportKey: async (slot: number) => bytesOf(await port.call('exportKey', slot)),
    verify: async (spki: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
      (await port.call('verify', spki, message, signature)) === true,
    verifyDigest: async (spki: Uint8Array, digest: Uint8Array, signature: Uint8Array) =>
      (await port.call('verifyDigest', spki, digest, signature)) === true,
    verifySecond: async (spki: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
      (await port.call('verifySecond', spki, message, signature)) === true,
    sha256: async (message: Uint8Array) => bytesOf(await port.call('sha256', message)),
    async sha256Tails(head: Uint8Array, tails: readonly Uint8Array[]) {
      return listOf(await port.call('sha256Tails', head, tails)).map(bytesOf);
    },
    /** For thumbprints only. */
    sha1: async (message: Uint8Array) => bytesOf(await port.call('sha1', message)),
    random: async (length: number, fresh: boolean) => bytesOf(await port.call('random', length, fresh)),
    bootSeed: async () => bytesOf(await port.call('bootSeed')),
    readFlash: async (offset: number, length: number) =>
      bytesOf(await port.call('readFlash', offset, length)),
    extendMeasurement: (measurement: PortValue) => port.call('extendMeasurement', measurement),
    async measurements() {
      return listOf(await port.call('measurements')).map((entry) => {
        const { imageType, name, digest, signerId, securityVersion } = fieldsOf(entry);
        return {
          imageType: numberOf(imageType),
          name: textOf(name),
          digest: bytesOf(digest ?? null),
          signerId: bytesOf(signerId ?? null),
          securityVersion: numberOf(securityVersion),
        };
      });
    },
    startStage: (stage: 'monitor', bundle: Uint8Array) => port.call('startStage', stage, bundle),
  };
}

import {
  PSA_PROFILES,
  concatBytes,
  encodePsaClaims,
  encodeSign1,
  imageTypeName,
  utf8Encode,
} from '@sevenfold/formats';
import type { PlutonHardwarePort } from './hardware.ts';

/** RFC 9783 §4.3.1: what each manufacturing state stands for. */
const LIFECYCLE: Readonly<Record<string, number>> = {
  Blank: 0x1000,
  Module1Complete: 0x2000,
  DeviceComplete: 0x3000,
};
const LIFECYCLE_UNKNOWN = 0x0000;
/** RFC 9783 §4.1.2: the services, which ask, live in the normal world. */
const NORMAL_WORLD_CLIENT = -1;

/**
 * An attestation token over a nonce: who this chip is and what it booted, signed by the identity key
 * (RFC 9783, COSE_Sign1 with ES256).
 */
export async function attestationToken(hardware: PlutonHardwarePort, nonce: Uint8Array): Promise<Uint8Array> {
  const { chipSku, manufacturingState } = await hardware.fuses();
  const deviceId = await hardware.sha256(await hardware.identityKey());
  const payload = encodePsaClaims({
    profile: PSA_PROFILES[0],
    nonce,
    instanceId: concatBytes(Uint8Array.of(0x01), deviceId),
    implementationId: await hardware.sha256(utf8Encode(`sevenfold chip SKU ${chipSku}`)),
    clientId: NORMAL_WORLD_CLIENT,
    securityLifecycle: LIFECYCLE[manufacturingState] ?? LIFECYCLE_UNKNOWN,
    bootSeed: await hardware.bootSeed(),
    softwareComponents: (await hardware.measurements()).map((measurement) => ({
      measurementType: imageTypeName(measurement.imageType) ?? 'Other',
      measurementValue: measurement.digest,
      version: `${measurement.name};sv=${measurement.securityVersion}`,
      signerId: measurement.signerId,
      measurementDescription: 'sha-256',
    })),
  });
  const token = encodeSign1({ algorithm: 'ES256', payload });
  return token.finish(await hardware.signIdentity(token.toBeSigned));
}

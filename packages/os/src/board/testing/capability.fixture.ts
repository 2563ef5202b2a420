import { encodeDeviceCapability, encodeSign1, type DeviceCapabilityName } from '@sevenfold/formats';
import { keys, signWith, type TestKey } from './release.fixture.ts';

/** A capability file for one device, signed as it should be unless another signer is named. */
export function capabilityFile(
  deviceId: string,
  capabilities: readonly DeviceCapabilityName[],
  signer: TestKey = keys.service,
): Uint8Array {
  const payload = encodeDeviceCapability({ deviceId, capabilities, issuedAt: 1_800_000_000 });
  const file = encodeSign1({ algorithm: 'ES256', keyId: signer.thumbprint, payload });
  return file.finish(signWith(signer, file.toBeSigned));
}

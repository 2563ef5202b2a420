import { encodeDeviceCapability, encodeSign1, type DeviceCapabilityName } from '@sevenfold/formats';
import { ensureKey, thumbprint, type KeyStore } from '@sevenfold/pki';
import type { ServiceContext } from '../service-context.ts';
import { getDevice } from './devices.ts';

/** The service's key for capabilities of devices; devices know its public half from their TrustedKeystore. */
const CAPABILITY_SIGNING_KEY = 'capability-signing';

/** The public half (SPKI, DER); the key is made when it is asked for the first time. */
export function capabilitySigningKey(keys: KeyStore): Promise<Uint8Array> {
  return ensureKey(keys, CAPABILITY_SIGNING_KEY);
}

/** A capability file for one device of the tenant; none at all locks it again. `NotFound` for a device of another. */
export async function issueCapability(
  { store, keys, clock }: Pick<ServiceContext, 'store' | 'keys' | 'clock'>,
  tenantId: string,
  deviceId: string,
  capabilities: readonly DeviceCapabilityName[],
): Promise<Uint8Array> {
  await getDevice(store.read, tenantId, deviceId);
  const issuedAt = Math.floor(clock.now() / 1000);
  const keyId = thumbprint(await capabilitySigningKey(keys));
  const payload = encodeDeviceCapability({ deviceId, capabilities, issuedAt });
  const file = encodeSign1({ algorithm: 'ES256', keyId, payload });
  return file.finish(await keys.sign(CAPABILITY_SIGNING_KEY, file.toBeSigned));
}

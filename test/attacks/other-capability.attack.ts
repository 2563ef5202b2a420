/**
 * Stands for: another device's capability. A file that unlocks one device for its developer, signed as it should be,
 * is put on a device in the field.
 * Held by: the file names one device, and Pluton knows its own name from its own key.
 * Seen to succeed: without that comparison in `openCapability` the other device boots unlocked.
 */
import { CAPABILITY_COMPONENT_ID, encodeDeviceCapability, encodeSign1 } from '@sevenfold/formats';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { keys, makeRelease, signWith } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'the capability of another device',
  stoppedBy: 'CapabilityRefused',
  without: [
    {
      file: 'packages/os/src/pluton/images.ts',
      line: 'if (capability.deviceId !== deviceId) {',
      instead: 'if (deviceId.length === 0) {',
    },
  ],
  async run() {
    const device = makeDevice(manufactureBits(await makeRelease()));
    await device.board.powerOn();
    const payload = encodeDeviceCapability({
      deviceId: '0'.repeat(64),
      capabilities: ['appDevelopment'],
      issuedAt: 1_800_000_000,
    });
    const draft = encodeSign1({
      algorithm: 'ES256',
      keyId: keys.service.thumbprint,
      payload,
    });
    const file = draft.finish(signWith(keys.service, draft.toBeSigned));
    const outcome = await outcomeOf(() => device.call('mutableWrite', CAPABILITY_COMPONENT_ID, file));
    await device.board.powerOff();
    await device.board.powerOn();
    const { capabilities } = (await device.call('bootInfo')) as { readonly capabilities: readonly string[] };
    await device.board.powerOff();
    return capabilities.includes('appDevelopment') ? 'succeeded' : outcome;
  },
};

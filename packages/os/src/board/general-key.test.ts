import { expect, it } from 'vitest';
import {
  FLASH_MAP,
  IMAGE_TYPES,
  SLOT_PACKAGE_OFFSET,
  concatBytes,
  decodePsaClaims,
  decodeSign1,
  fromHex,
  toHex,
} from '@sevenfold/formats';
import { verifySignature } from '@sevenfold/pki';
import { makeDevice, manufactureBits } from './testing/device.fixture.ts';
import { makeRelease, makeSystemImage, sha256 } from './testing/release.fixture.ts';

const SYSTEM = (['UpdateCertStore', 'NormalWorldKernel', 'Services'] as const).map((type) => [
  IMAGE_TYPES[type],
  FLASH_MAP.system[type].A.offset,
]);

it('is attested by its chip in a token that nobody above Pluton can have made for another key', async () => {
  const challenge = new Uint8Array(32).fill(9);
  const monitor = `globalThis.stage = { async start(h) {
    const { pluton, hardware } = h.ports;
    for (const [type, at] of ${JSON.stringify(SYSTEM)}) {
      const head = await hardware.call('readFlash', at, 256);
      const size = new DataView(head.buffer, head.byteOffset).getUint32(12, true);
      await pluton.call('verifyImage', await hardware.call('readFlash', at + ${SLOT_PACKAGE_OFFSET}, size), type, true);
    }
    const challenge = new Uint8Array(32).fill(9);
    const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const { spki, token } = await pluton.call('attestGeneralKey', challenge);
    h.log('spki ' + hex(spki));
    for (let at = 0; at < token.length; at += 300) h.log('token ' + hex(token.slice(at, at + 300)));
    const mine = Uint8Array.from([...challenge, ...new Uint8Array(32).fill(1)]);
    h.log('forged ' + await pluton.call('attest', mine).then(() => 'answered', (error) => error.code));
  } };`;
  const evil = await makeSystemImage('SecurityMonitor', { monitor });
  const images = (await makeRelease()).map((image) =>
    image.type === 'SecurityMonitor' ? { type: image.type, package: evil } : image,
  );
  const device = makeDevice(manufactureBits(images));
  await device.board.powerOn();
  const said = (what: string): string =>
    device.board.bootLog
      .flatMap((line) => (line.startsWith(`[MONITOR] ${what} `) ? [line.split(' ')[2] ?? ''] : []))
      .join('');
  expect(said('forged'), device.board.bootLog.join('\n')).toBe('BadArgument');

  device.chip.powerOn();
  const { generalSpki, identitySpki } = device.chip.pluton;
  expect(said('spki')).toBe(toHex(generalSpki));
  const { toBeSigned, signature, payload } = decodeSign1(fromHex(said('token')));
  expect(verifySignature(identitySpki, toBeSigned, signature)).toBe(true);
  const { nonce, instanceId } = decodePsaClaims(payload);
  expect(toHex(nonce)).toBe(toHex(concatBytes(challenge, sha256(generalSpki))));
  expect(toHex(instanceId)).toBe(`01${toHex(sha256(identitySpki))}`);
  await device.board.powerOff();
});

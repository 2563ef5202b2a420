import { describe, expect, it } from 'vitest';
import { WIRINGS } from './stage-loader.ts';
import {
  GPIO_REGISTERS,
  decodePsaClaims,
  decodeSign1,
  registerAddress,
  toHex,
  type PortValue,
} from '@sevenfold/formats';
import { activeNames, makeDevice, manufactureBits } from './testing/device.fixture.ts';
import { keys, makeRelease, sha256, signWith } from './testing/release.fixture.ts';
import { createPublicKey, verify } from 'node:crypto';

describe.each(WIRINGS)('a new device, wired %s', (wiring) => {
  it('boots through every layer, each verifying the next, and attests what it booted', async () => {
    const release = await makeRelease();
    const device = makeDevice(manufactureBits(release), wiring);
    const lines: string[] = [];
    device.board.onLog((line) => lines.push(line));
    expect(await device.board.powerOn(), lines.join('\n')).toEqual({
      kind: 'running',
      config: 'current',
      resets: 0,
    });
    const verified = lines
      .filter((line) => line.includes('verified'))
      .map((line) => line.replace(/ \([0-9a-f]{8}…\)$/, ''));
    expect(verified).toEqual([
      '[ROM] TrustedKeystore slot A verified: keystore 1.0.0',
      '[ROM] PlutonRuntime slot A verified: pluton 1.0.0',
      '[PLUTON] SecurityMonitor slot A verified: monitor 1.0.0',
      '[MONITOR] UpdateCertStore slot A verified: certstore 1.0.0',
      '[MONITOR] NormalWorldKernel slot A verified: kernel 1.0.0',
      '[MONITOR] Services slot A verified: services 1.0.0',
    ]);

    const identity = (await device.call('identity')) as {
      deviceId: string;
      spki: Uint8Array;
      chipSku: number;
      manufacturingState: string;
    };
    expect(identity.deviceId).toBe(toHex(sha256(identity.spki)));
    expect(identity).toMatchObject({ chipSku: 1, manufacturingState: 'DeviceComplete' });

    const challenge = sha256(Uint8Array.of(1, 2, 3));
    const token = decodeSign1((await device.call('attest', challenge)) as Uint8Array);
    const spki = createPublicKey({ key: Buffer.from(identity.spki), format: 'der', type: 'spki' });
    expect(
      verify('sha256', token.toBeSigned, { key: spki, dsaEncoding: 'ieee-p1363' }, token.signature),
    ).toBe(true);
    const claims = decodePsaClaims(token.payload);
    expect(claims.nonce).toEqual(challenge);
    expect(toHex(claims.instanceId)).toBe(`01${identity.deviceId}`);
    expect(claims.securityLifecycle).toBe(0x3000);
    expect(
      claims.softwareComponents.map(({ measurementType, version, measurementValue }) => [
        measurementType,
        version,
        toHex(measurementValue),
      ]),
    ).toEqual(
      release.map(({ type, package: bytes }, index) => [
        type,
        `${['keystore', 'pluton', 'monitor', 'certstore', 'kernel', 'services'][index]} 1.0.0;sv=1`,
        toHex(sha256(bytes)),
      ]),
    );
    expect(await activeNames(device)).toMatchObject({
      PlutonRuntime: 'pluton 1.0.0',
      Services: 'services 1.0.0',
    });
    await device.board.powerOff();
    await expect(device.call('identity')).rejects.toMatchObject({ code: 'DeviceNotRunning' });
  });

  it('makes session keys, checks plans, and drives pins that a meter sees', async () => {
    const device = makeDevice(manufactureBits(await makeRelease()), wiring);
    await device.board.powerOn();
    const { keyId, spki } = (await device.call('createSessionKey', null)) as {
      keyId: number;
      spki: Uint8Array;
    };
    const message = Uint8Array.of(1, 2);
    const signature = (await device.call('signWithSessionKey', keyId, message)) as Uint8Array;
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    expect(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(((await device.call('exportSessionKey', keyId)) as Uint8Array).length).toBeGreaterThan(100);
    await expect(device.call('exportSessionKey', keyId)).rejects.toMatchObject({ code: 'NoSuchKey' });

    const signed = (key: typeof keys.service, use: string): Promise<PortValue> =>
      device.call('verifySigned', use, message, signWith(key, message), key.thumbprint);
    expect(await signed(keys.service, 'plan')).toBe(true);
    expect(await signed(keys.platform, 'plan')).toBe(false);
    await expect(signed(keys.service, 'image:Applications')).rejects.toMatchObject({ code: 'BadArgument' });

    const levels: number[] = [];
    device.board.onPin(8, (level) => levels.push(level));
    // GPIO 8 is bit 0 of its block.
    const gpio8 = (register: number): number => registerAddress('gpio2', register);
    await device.call('hw.bus', [
      ['write', gpio8(GPIO_REGISTERS.DOUT_SET), 1],
      ['write', gpio8(GPIO_REGISTERS.OE_SET), 1],
      ['write', gpio8(GPIO_REGISTERS.DOUT_CLR), 1],
      ['write', gpio8(GPIO_REGISTERS.DOUT_SET), 1],
    ]);
    expect(levels).toEqual([1, 0, 1]);
    device.board.drivePin(12, 1);
    expect(await device.call('hw.bus', [['read', registerAddress('gpio3', 4)]])).toEqual([1]);
    await device.board.powerOff();
    expect(device.board.state).toBe('off');
  });
});

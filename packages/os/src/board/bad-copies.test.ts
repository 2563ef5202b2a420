import { describe, expect, it } from 'vitest';
import {
  ABI_KINDS,
  FLASH_MAP,
  SLOT_PACKAGE_OFFSET,
  SYSTEM_IMAGE_TYPES,
  parseImagePackage,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { writeSlot, type Chip } from '@sevenfold/silicon';
import {
  copyBits,
  makeDevice,
  manufactureBits,
  settled,
  stage,
  type ChipBits,
  type TestDevice,
} from './testing/device.fixture.ts';
import { keys, makeImage, makeRelease, makeSystemImage, revocationOf } from './testing/release.fixture.ts';

/** Deterministic, spread over the range. */
const spread = (seed: number, below: number): number =>
  Math.floor(((((seed * 0.618_033_988_749_9) % 1) + 1) % 1) * below);
const IS_DEEP = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0;
const FLIPS = IS_DEEP ? 1000 : 6;
const LAYER: Readonly<Record<SystemImageTypeName, string>> = {
  TrustedKeystore: 'ROM',
  PlutonRuntime: 'ROM',
  SecurityMonitor: 'PLUTON',
  UpdateCertStore: 'MONITOR',
  NormalWorldKernel: 'MONITOR',
  Services: 'MONITOR',
};

const factory = makeRelease().then((release) => ({ release, bits: manufactureBits(release) }));

/** Boots a chip with these bits after something was done to its flash. */
async function bootAfter(bits: ChipBits, harm: (chip: Chip) => void): Promise<TestDevice> {
  const device = makeDevice(copyBits(bits));
  device.chip.powerOn();
  harm(device.chip);
  device.chip.powerOff();
  await device.board.powerOn();
  return device;
}

/** One flipped bit in a slot: in its header or anywhere in its package. */
function flip(chip: Chip, type: SystemImageTypeName, slot: 'A' | 'B', size: number, seed: number): void {
  const { offset } = FLASH_MAP.system[type][slot];
  // Every sixth flip hits the header; 80 bytes of it mean something.
  const at = seed % 6 === 5 ? spread(seed, 80) : SLOT_PACKAGE_OFFSET + spread(seed, size);
  chip.flash.flipBit(offset + at, seed % 8);
}

describe.each(SYSTEM_IMAGE_TYPES)('a flipped bit in %s', (type) => {
  it(
    'keeps that copy from running: the layer below names it and boots the other one',
    async () => {
      const { release, bits } = await factory;
      const size = release.find((image) => image.type === type)?.package.length ?? 0;
      for (let seed = 0; seed < FLIPS; seed++) {
        const device = await bootAfter(bits, (chip) => flip(chip, type, 'A', size, seed));
        const { bootLog } = device.board;
        expect(device.board.lastOutcome, `seed ${seed}\n${bootLog.join('\n')}`).toMatchObject({
          kind: 'running',
        });
        expect(bootLog.filter((line) => line.includes('slot A refused'))).toEqual([
          expect.stringMatching(
            new RegExp(`^\\[${LAYER[type]}\\] ${type} slot A refused: [A-Z]\\w+ – .* – trying slot B$`),
          ),
        ]);
        expect(bootLog.some((line) => line.startsWith(`[${LAYER[type]}] ${type} slot B verified`))).toBe(
          true,
        );
        expect(await device.call('bootInfo')).toMatchObject({
          failures: [{ slot: 'A', code: expect.any(String) }],
        });
        await device.board.powerOff();
      }
    },
    IS_DEEP ? 600_000 : 60_000,
  );

  it('in both copies stops the device with a line that says so, and nothing of it runs', async () => {
    const { release, bits } = await factory;
    const size = release.find((image) => image.type === type)?.package.length ?? 0;
    const device = await bootAfter(bits, (chip) => {
      flip(chip, type, 'A', size, 1);
      flip(chip, type, 'B', size, 2);
    });
    const log = device.board.bootLog.join('\n');
    expect(device.board.lastOutcome, log).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
    expect(log).toMatch(
      new RegExp(`\\[${LAYER[type]}\\] ${type} slot B refused: \\w+ – .* – no copy is left, stopping`),
    );
    expect(log).not.toContain(`${type} slot A verified`);
    await expect(device.call('identity')).rejects.toMatchObject({ code: 'DeviceNotRunning' });
  });
});

describe('an image that is whole but does not belong there', () => {
  const older = { version: '0.9.0', securityVersion: 1 };
  const cases: readonly [string, SystemImageTypeName, string, () => Promise<Uint8Array>][] = [
    [
      'signed by a stranger',
      'NormalWorldKernel',
      'UnknownSigner',
      () => makeSystemImage('NormalWorldKernel', {}, { signer: keys.stranger }),
    ],
    [
      'that names the platform key but was signed by a stranger',
      'PlutonRuntime',
      'BadSignature',
      () => makeSystemImage('PlutonRuntime', {}, { signatureBy: keys.stranger }),
    ],
    [
      'signed by the key for apps',
      'SecurityMonitor',
      'UnknownSigner',
      () => makeSystemImage('SecurityMonitor', {}, { signer: keys.service }),
    ],
    ['of another type', 'SecurityMonitor', 'WrongImageType', () => makeSystemImage('NormalWorldKernel')],
    [
      'of another component',
      'Services',
      'WrongComponent',
      () => makeSystemImage('Services', {}, { componentId: '11111111-2222-4333-8444-555555555555' }),
    ],
    [
      'without its bundle',
      'SecurityMonitor',
      'MissingContent',
      async () => makeImage('SecurityMonitor', 'monitor', [{ path: '/bin/other', bytes: new Uint8Array(3) }]),
    ],
    [
      'of a keystore under another root',
      'TrustedKeystore',
      'UnknownSigner',
      () => makeSystemImage('TrustedKeystore', {}, { signer: keys.platform }),
    ],
    [
      'of a keystore that only names the root',
      'TrustedKeystore',
      'BadSignature',
      () => makeSystemImage('TrustedKeystore', {}, { signatureBy: keys.stranger }),
    ],
  ];
  it.each(cases)('%s is refused as %s: %s', async (_what, type, code, make) => {
    const { bits } = await factory;
    const image = await make();
    const device = await bootAfter(bits, (chip) => writeSlotAs(chip, type, image));
    expect(device.board.lastOutcome).toMatchObject({ kind: 'running' });
    expect(device.board.bootLog.find((line) => line.includes('refused'))).toContain(
      `${type} slot A refused: ${code}`,
    );
    await device.board.powerOff();
  });

  it('for another chip SKU is refused on this one', async () => {
    const device = await bootAfter(manufactureBits(await makeRelease(), { chipSku: 2 }), () => {});
    expect(device.board.lastOutcome).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
    expect(device.board.bootLog[0]).toContain('TrustedKeystore slot A refused: WrongChipSku');
  });

  it('of a keystore under another root, rightly signed by that, is refused', async () => {
    const { bits } = await factory;
    const image = await makeSystemImage(
      'TrustedKeystore',
      { root: keys.stranger },
      { signer: keys.stranger },
    );
    const device = await bootAfter(bits, (chip) => writeSlotAs(chip, 'TrustedKeystore', image));
    expect(device.board.bootLog[0]).toContain('TrustedKeystore slot A refused: WrongRoot');
    await device.board.powerOff();
  });

  it('of a keystore with a key under the name of another one is refused', async () => {
    const { bits } = await factory;
    const disguised = { ...keys.stranger, thumbprint: keys.platform.thumbprint };
    const image = await makeSystemImage('TrustedKeystore', { platformKeys: [disguised] });
    const device = await bootAfter(bits, (chip) => writeSlotAs(chip, 'TrustedKeystore', image));
    expect(device.board.bootLog[0]).toContain('TrustedKeystore slot A refused: InvalidKeystore');
    await device.board.powerOff();
  });

  it('of a keystore that was replaced is refused once its successor is confirmed, in both slots', async () => {
    const old = await makeSystemImage('TrustedKeystore', { keystoreVersion: 1 });
    const device = makeDevice(manufactureBits(await makeRelease()));
    await device.board.powerOn();
    const next = await makeSystemImage('TrustedKeystore', { keystoreVersion: 2 });
    await device.call('commit', [await stage(device, next)], []);
    await device.call('restart').catch(() => {});
    await settled(device);
    // Until then the old one is what the device could have to go back to.
    expect(device.chip.fuses.securityVersion('TrustedKeystore')).toBe(1);
    await device.call('confirmHealthy');
    await device.board.powerOff();
    device.chip.powerOn();
    for (const slot of ['A', 'B'] as const) writeSlot(device.chip.flash, 'TrustedKeystore', slot, old);
    device.chip.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
    expect(device.board.bootLog.join('\n')).toContain(
      'TrustedKeystore slot B refused: SecurityVersionTooLow',
    );
  });

  it('of a keystore whose version the fuses could not follow is refused', async () => {
    const { bits } = await factory;
    const image = await makeSystemImage('TrustedKeystore', { keystoreVersion: 7 }, { securityVersion: 9 });
    const device = await bootAfter(bits, (chip) => writeSlotAs(chip, 'TrustedKeystore', image));
    expect(device.board.bootLog[0]).toContain('TrustedKeystore slot A refused: InvalidKeystore');
    await device.board.powerOff();
  });

  it('needs an interface that the layer below does not offer is refused before it runs', async () => {
    const { bits } = await factory;
    const fields = { abiDepends: [{ version: 2, kind: ABI_KINDS.SecureWorldRuntime }] };
    const kernel = await makeSystemImage('NormalWorldKernel', {}, { fields });
    const device = await bootAfter(bits, (chip) => writeSlotAs(chip, 'NormalWorldKernel', kernel));
    expect(device.board.bootLog.find((line) => line.includes('refused'))).toContain(
      'NormalWorldKernel slot A refused: AbiNotProvided',
    );
    await device.board.powerOff();
    const monitor = await makeSystemImage(
      'SecurityMonitor',
      {},
      { fields: { abiProvides: [{ version: 3, kind: ABI_KINDS.SecureWorldRuntime }] } },
    );
    const newer = await bootAfter(bits, (chip) => {
      writeSlotAs(chip, 'NormalWorldKernel', kernel);
      writeSlotAs(chip, 'SecurityMonitor', monitor);
    });
    expect(newer.board.bootLog.filter((line) => line.includes('refused'))).toEqual([]);
    await newer.board.powerOff();
  });

  it('older than the fused counter is refused, the keystore included', async () => {
    const bits = manufactureBits(await makeRelease({ securityVersion: 3 }));
    const first = makeDevice(bits);
    await first.board.powerOn();
    await first.board.powerOff();
    for (const type of SYSTEM_IMAGE_TYPES) {
      const image = await makeSystemImage(type, older);
      const device = await bootAfter(bits, (chip) => writeSlotAs(chip, type, image));
      expect(device.board.bootLog.find((line) => line.includes('refused'))).toContain(
        `${type} slot A refused: SecurityVersionTooLow`,
      );
      await device.board.powerOff();
    }
  });

  it('on the keystore’s list of revoked images is refused with any other signature of it as well', async () => {
    const old = await makeSystemImage('NormalWorldKernel', { version: '0.9.0' });
    const bits = manufactureBits(await makeRelease({ revoked: [revocationOf(old)] }));
    const twin = withTwinSignature(old);
    for (const image of [old, twin]) {
      const device = await bootAfter(bits, (chip) => writeSlotAs(chip, 'NormalWorldKernel', image));
      expect(device.board.bootLog.find((line) => line.includes('refused'))).toContain(
        'NormalWorldKernel slot A refused: RevokedImage',
      );
      await device.board.powerOff();
    }
    // That the twin is as good as the original is seen where nothing is revoked.
    const device = await bootAfter(manufactureBits(await makeRelease()), (chip) =>
      writeSlotAs(chip, 'NormalWorldKernel', twin),
    );
    expect(device.board.bootLog.join('\n')).toContain('NormalWorldKernel slot A verified: kernel 0.9.0');
    await device.board.powerOff();
  });

  it('on the keystore’s list of revoked images is refused, whichever slot it is in', async () => {
    const release = await makeRelease();
    const kernel = release.find(({ type }) => type === 'NormalWorldKernel')?.package ?? new Uint8Array(0);
    const keystore = await makeSystemImage('TrustedKeystore', { revoked: [revocationOf(kernel)] });
    const bits = manufactureBits(
      release.map((image) => (image.type === 'TrustedKeystore' ? { ...image, package: keystore } : image)),
    );
    const device = await bootAfter(bits, () => {});
    expect(device.board.lastOutcome).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
    expect(device.board.bootLog.join('\n')).toContain('NormalWorldKernel slot B refused: RevokedImage');
  });
});

/** Order of the P-256 group. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same image with the twin of its signature, r and n − s: as valid, and another digest. */
function withTwinSignature(image: Uint8Array): Uint8Array {
  const twin = Uint8Array.from(image);
  const s = BigInt(`0x${Buffer.from(image.subarray(-32)).toString('hex')}`);
  twin.set(Buffer.from((P256_ORDER - s).toString(16).padStart(64, '0'), 'hex'), image.length - 32);
  return twin;
}

/** As an attacker with a soldering iron: any image into slot A of any type. */
function writeSlotAs(chip: Chip, type: SystemImageTypeName, image: Uint8Array): void {
  expect(parseImagePackage(image).payload.length).toBeGreaterThan(0);
  writeSlot(chip.flash, type, 'A', image);
}

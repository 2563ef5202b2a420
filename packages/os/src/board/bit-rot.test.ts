import { describe, expect, it } from 'vitest';
import {
  CHIP_SKUS,
  FLASH_MAP,
  IMAGE_TYPES,
  SLOT_PACKAGE_OFFSET,
  SYSTEM_IMAGE_TYPES,
  decodeKeystore,
  fileOf,
  loadSystemImage,
  parseImagePackage,
  verifyImage,
  verifyKeystore,
  SYSTEM_IMAGE_FILES,
  type BootReport,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { CHIP_ENGINES, insecureSeededEntropy, openChip } from '@sevenfold/silicon';
import { makeDevice, manufactureBits, stage } from './testing/device.fixture.ts';
import { makeApp, makeRelease, rootKeyHash } from './testing/release.fixture.ts';

/** Flips for each stage. Whole boots with flipped bits are in `bad-copies.test.ts`; here is the layer's own decision. */
const FLIPS = 1000;
/** Bytes of a slot's header that mean something. */
const HEADER = 80;

/** Deterministic, spread over the range. */
const spread = (seed: number, below: number): number =>
  Math.floor(((((seed * 0.618_033_988_749_9) % 1) + 1) % 1) * below);

describe.each(SYSTEM_IMAGE_TYPES)('a bit that rots in %s', (type: SystemImageTypeName) => {
  it('wherever it is, leaves the layer below with the other copy, and an error of its own', async () => {
    const release = await makeRelease();
    const bits = manufactureBits(release);
    const chip = openChip({ ...bits, entropy: insecureSeededEntropy('rot') });
    chip.powerOn();
    const packageOf = (wanted: SystemImageTypeName): Uint8Array =>
      release.find((image) => image.type === wanted)?.package ?? new Uint8Array(0);
    const trusted = decodeKeystore(
      fileOf(parseImagePackage(packageOf('TrustedKeystore')), SYSTEM_IMAGE_FILES.keystore),
    );
    const policy = {
      ...trusted,
      imageType: IMAGE_TYPES[type],
      rootKeyHash,
      chipSku: CHIP_SKUS['SF-V1'],
      leastSecurityVersion: 1,
      needsSecondSignature: false,
      provided: [],
    };
    const load = async (report: BootReport) =>
      loadSystemImage({
        type,
        preferred: 'A',
        readFlash: (offset, length) => Promise.resolve(chip.flash.read(offset, length)),
        async verify(untrusted) {
          const image =
            type === 'TrustedKeystore'
              ? await verifyKeystore(untrusted, policy, CHIP_ENGINES)
              : await verifyImage(untrusted, policy, CHIP_ENGINES);
          return { ...image, ...image.package.fields, securityVersion: image.securityVersion };
        },
        log: () => {},
        report,
      });

    const genuine = packageOf(type);
    const { offset } = FLASH_MAP.system[type].A;
    const codes = new Map<string, number>();
    for (let seed = 0; seed < FLIPS; seed++) {
      const place = spread(seed, HEADER + genuine.length);
      const at = offset + (place < HEADER ? place : SLOT_PACKAGE_OFFSET + place - HEADER);
      chip.flash.flipBit(at, seed % 8);
      const report: BootReport = { stages: [], failures: [] };
      const loaded = await load(report);
      expect([loaded?.slot, report.failures.map(({ slot }) => slot)], `byte ${place}`).toEqual(['B', ['A']]);
      const code = report.failures[0]?.code ?? '';
      codes.set(code, (codes.get(code) ?? 0) + 1);
      chip.flash.flipBit(at, seed % 8);
    }
    expect(codes.has('Internal')).toBe(false);
    expect([...codes.values()].reduce((sum, count) => sum + count)).toBe(FLIPS);
    // Whole again, nothing of it is refused.
    expect((await load({ stages: [], failures: [] }))?.slot).toBe('A');
  }, 60_000);
});

describe('a bit that rots in an installed app', () => {
  it('wherever it is, has the monitor refuse the app by a code, and nothing else', async () => {
    const device = makeDevice(manufactureBits(await makeRelease()));
    await device.board.powerOn();
    const app = makeApp('app', 20_000);
    const { componentId } = parseImagePackage(app).fields;
    await device.call('commit', [await stage(device, app)], []);
    const { flash } = device.chip;
    const at = Buffer.from(flash.read(0, flash.size)).indexOf(app);
    expect(at).toBeGreaterThan(0);

    const codes = new Set<string>();
    for (let seed = 0; seed < FLIPS; seed++) {
      const place = at + spread(seed, app.length);
      flash.flipBit(place, seed % 8);
      const refusal: unknown = await device.call('loadApplication', componentId).then(
        () => null,
        (error: unknown) => error,
      );
      expect(refusal, `byte ${place - at}`).toMatchObject({ code: expect.any(String) });
      codes.add((refusal as { readonly code: string }).code);
      flash.flipBit(place, seed % 8);
    }
    expect(codes.has('Internal')).toBe(false);
    expect(await device.call('loadApplication', componentId)).toEqual(app);
    await device.board.powerOff();
  }, 180_000);
});

import { IMAGE_TYPES, SYSTEM_COMPONENT_IDS, type PlanPayload } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import type { InstalledImage } from './kernel.ts';
import { decideWork, requireOwnPlan, type PlannedImage } from './plan-decision.ts';

const nonce = new Uint8Array(32).fill(7);
const deviceId = 'ab'.repeat(32);
const id = (last: number): string => `00000000-0000-4000-8000-${String(last).padStart(12, '0')}`;
const digest = (seed: number): Uint8Array => new Uint8Array(32).fill(seed);

const app = (component: number, image: number): PlannedImage => ({
  imageType: IMAGE_TYPES.Applications,
  componentId: id(component),
  imageId: id(image),
  digest: digest(image),
  size: 5000,
  name: `app ${image}`,
});
const system = (type: keyof typeof SYSTEM_COMPONENT_IDS, image: number): PlannedImage => ({
  ...app(0, image),
  imageType: IMAGE_TYPES[type],
  componentId: SYSTEM_COMPONENT_IDS[type],
  name: type,
});
const plan = (images: PlannedImage[], removeComponents: string[] = []): PlanPayload => ({
  nonce,
  deviceId,
  issuedAt: 1_800_000_000,
  nextCheck: 3600,
  release: '26.11.0',
  images,
  removeComponents,
});
const installed = (image: PlannedImage, state = 'active'): InstalledImage => ({ ...image, state });
const none: readonly (readonly string[])[] = [];

describe('a plan', () => {
  it('is taken for an answer to our own request only', () => {
    const expected = { deviceId, nonce };
    expect(() => requireOwnPlan(plan([]), expected)).not.toThrow();
    expect(() => requireOwnPlan({ ...plan([]), nonce: digest(8) }, expected)).toThrow(
      expect.objectContaining({ code: 'PlanNotFresh', field: 'nonce' }),
    );
    expect(() => requireOwnPlan({ ...plan([]), deviceId: 'cd'.repeat(32) }, expected)).toThrow(
      expect.objectContaining({ code: 'PlanForAnotherDevice', field: 'deviceId' }),
    );
  });

  it('asks for what is not there, by image and by content', () => {
    const present = [installed(app(1, 10)), installed(system('Services', 20))];
    const wanted = plan([app(1, 10), app(2, 11), system('Services', 21)]);
    expect(decideWork(wanted, present, none)).toEqual({
      missing: [app(2, 11), system('Services', 21)],
      remove: [],
      held: [],
    });
    const changed = { ...app(1, 10), digest: digest(99) };
    expect(decideWork(plan([changed]), present, none).missing).toEqual([changed]);
  });

  it('does not count what is only in the other slot', () => {
    const present = [installed(system('Services', 20), 'backup')];
    expect(decideWork(plan([system('Services', 20)]), present, none).missing).toHaveLength(1);
  });

  it('removes what is there and nothing else', () => {
    const present = [installed(app(1, 10))];
    expect(decideWork(plan([], [id(1), id(2)]), present, none).remove).toEqual([id(1)]);
  });

  it('holds back a whole OS when one of its images was left before, but not the apps', () => {
    const wanted = plan([system('NormalWorldKernel', 30), system('Services', 31), app(1, 10)]);
    expect(decideWork(wanted, [], [[id(30)]])).toEqual({
      missing: [app(1, 10)],
      remove: [],
      held: [id(30)],
    });
  });

  it('may mend one image of a system that was left, and keep the others', () => {
    const left = [[id(30), id(31)], [id(50)]];
    const kernel = (image: number) => system('NormalWorldKernel', image);
    const same = plan([kernel(30), system('Services', 31)]);
    expect(decideWork(same, [], left)).toMatchObject({ missing: [], held: [id(30), id(31)] });
    const mended = plan([kernel(32), system('Services', 31)]);
    expect(decideWork(mended, [], left)).toMatchObject({ missing: mended.images, held: [] });
    // And what was left once stays left, on top of the mended one as well.
    expect(
      decideWork(
        same,
        mended.images.map((image) => installed(image)),
        left,
      ),
    ).toMatchObject({
      missing: [],
      held: [id(30)],
    });
    // What runs is not held, whatever became of it before.
    expect(
      decideWork(
        same,
        same.images.map((image) => installed(image)),
        left,
      ),
    ).toMatchObject({ missing: [], held: [] });
  });

  it('takes a new keystore first and alone', () => {
    const wanted = plan([system('TrustedKeystore', 40), system('Services', 31), app(1, 10)], [id(2)]);
    const present = [installed(app(2, 11))];
    expect(decideWork(wanted, present, none)).toEqual({
      missing: [system('TrustedKeystore', 40)],
      remove: [],
      held: [],
    });
    expect(decideWork(plan([system('TrustedKeystore', 40)], [id(2)]), present, none).remove).toEqual([id(2)]);
  });

  const impossible: readonly (readonly [string, PlanPayload, string])[] = [
    [
      'an image type that no device holds',
      plan([{ ...app(1, 1), imageType: IMAGE_TYPES.Nwfs }]),
      'images.0.imageType',
    ],
    ['one component twice', plan([app(1, 1), app(1, 2)]), 'images.1.componentId'],
    [
      'an app under a component of the OS',
      plan([{ ...app(1, 1), componentId: SYSTEM_COMPONENT_IDS.Services }]),
      'images.0.componentId',
    ],
    [
      'a system image under a foreign component',
      plan([{ ...system('Services', 1), componentId: id(9) }]),
      'images.0.componentId',
    ],
    [
      'an image that does not fit its slot',
      plan([{ ...system('TrustedKeystore', 1), size: 32 * 1024 + 1 }]),
      'images.0.size',
    ],
    ['an empty image', plan([{ ...app(1, 1), size: 0 }]), 'images.0.size'],
    ['more apps than it may have', plan(Array.from({ length: 25 }, (_, n) => app(n, n + 100))), 'images'],
    [
      'more bytes of apps than it may have',
      plan([1, 2].map((n) => ({ ...app(n, n), size: 600_000 }))),
      'images',
    ],
    ['removal of what it installs', plan([app(1, 1)], [id(1)]), 'removeComponents'],
    ['removal of the OS', plan([], [SYSTEM_COMPONENT_IDS.NormalWorldKernel]), 'removeComponents'],
  ];
  it.each(impossible)('is refused with %s', (_what, wanted, field) => {
    expect(() => decideWork(wanted, [], none)).toThrow(
      expect.objectContaining({ code: 'PlanImpossible', field }),
    );
  });

  it('counts the apps that stay beside those that come', () => {
    const present = [installed({ ...app(1, 1), size: 600_000 })];
    const more = { ...app(2, 2), size: 600_000 };
    expect(() => decideWork(plan([more]), present, none)).toThrow(
      expect.objectContaining({ code: 'PlanImpossible', field: 'images' }),
    );
    expect(decideWork(plan([more], [id(1)]), present, none).missing).toEqual([more]);
    expect(decideWork(plan([{ ...more, componentId: id(1) }]), present, none).missing).toHaveLength(1);
  });
});

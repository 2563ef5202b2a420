import { fromHex } from '@sevenfold/formats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { revokeOsRelease, type OsRelease } from '../deployments/os-releases.ts';
import { openDeviceWorld, type DeviceWorld } from '../device-port/testing/device-world.fixture.ts';
import { appraiseDevice } from './appraise-device.ts';
import type { UnprovenEvidence } from './evidence.ts';

const DAY = 86_400_000;
const DEVICE = { osFeed: 'Retail', chipSku: 1 } as const;

let world: DeviceWorld;
let release: OsRelease;
beforeEach(async () => {
  world = await openDeviceWorld();
  release = await world.publish('26.11.0');
});
afterEach(() => world.close());

const evidence = (
  change: Partial<UnprovenEvidence> = {},
): Pick<UnprovenEvidence, 'lifecycle' | 'components'> => ({
  lifecycle: { state: 'secured', text: 'secured' },
  components: release.images.map(({ imageType, name, securityVersion, digest }) => {
    return { imageType, name, securityVersion, digest: fromHex(digest), signerId: world.signerId };
  }),
  ...change,
});
const verdictOf = async (measured = evidence()): Promise<string> =>
  (await appraiseDevice(world.service, DEVICE, measured)).appraisal.verdict;

describe('what was concluded from the same measurements before', () => {
  it('is taken again, for as long as nothing is published', async () => {
    const first = await appraiseDevice(world.service, DEVICE, evidence());
    expect(await appraiseDevice(world.service, DEVICE, evidence())).toBe(first);
    await world.publish('26.12.0');
    expect(await appraiseDevice(world.service, DEVICE, evidence())).not.toBe(first);
  });

  it('ends with a release that is taken back, at the very next request', async () => {
    expect(await verdictOf()).toBe('trusted');
    await revokeOsRelease(world.service, '26.11.0', 'a hole');
    expect(await verdictOf()).toBe('revoked');
  });

  it('ends when time alone makes it another, and does not come back with a clock that is set back', async () => {
    await world.publish('26.12.0');
    expect(await verdictOf()).toBe('trusted');
    world.service.clock.advance(30 * DAY);
    expect(await verdictOf()).toBe('trusted');
    world.service.clock.advance(1);
    expect(await verdictOf()).toBe('outdated');
    world.service.clock.advance(-DAY);
    expect(await verdictOf()).toBe('trusted');
  });

  it('says nothing about other measurements, another state or another feed, however they are spelt', async () => {
    expect(await verdictOf()).toBe('trusted');
    const { components } = evidence();
    const [first, ...others] = components;
    if (first === undefined) throw new Error('a release has images');
    const digest = first.digest.with(0, (first.digest[0] ?? 0) ^ 1);
    expect(await verdictOf(evidence({ components: [{ ...first, digest }, ...others] }))).toBe('unknown');
    // The name that a conclusion is kept under holds the beginning of each digest alone.
    const end = first.digest.with(31, (first.digest[31] ?? 0) ^ 1);
    expect(await verdictOf(evidence({ components: [{ ...first, digest: end }, ...others] }))).toBe('unknown');
    const known = await appraiseDevice(world.service, DEVICE, evidence());
    for (const change of [{ name: 'as published?' }, { securityVersion: 9 }, { signerId: first.digest }]) {
      const told = evidence({ components: [{ ...first, ...change }, ...others] });
      expect((await appraiseDevice(world.service, DEVICE, told)).components).not.toBe(known.components);
    }
    const without = components.filter(({ imageType }) => imageType !== 'NormalWorldKernel');
    expect(await verdictOf(evidence({ components: without }))).toBe('unknown');
    expect(await verdictOf(evidence({ lifecycle: { state: 'debug', text: 'non-psa-rot-debug' } }))).toBe(
      'unknown',
    );
    const other = await appraiseDevice(world.service, { osFeed: 'RetailEval', chipSku: 2 }, evidence());
    expect(other.result).toContain('RetailEval on chip SKU 2');
  });
});
